"""A Cityscapes download is enough: every command reads its ground truth and the folders of results."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from bpr.cli.main import main
from bpr.formats.recognise import open_source
from bpr.geometry.rle import decode_mask
from bpr.io.image_finder import ImageFolder
from tests.formats import layouts
from tests.scripts import run_tool


@pytest.fixture
def download(tmp_path: Path) -> Path:
    layouts.gtfine(tmp_path)
    layouts.photographs(tmp_path)
    return tmp_path


def ids_of(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


@pytest.mark.parametrize(("level", "images"), [("gtFine/val", "leftImg8bit/val"), ("gtFine", "leftImg8bit")])
def test_the_instances_as_an_annotation_file(
    download: Path, level: str, images: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = download / "instances.json"
    assert main(["convert", str(download / level), "--to", "coco", "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"7 annotations of 3 images (gtfine) -> {out}\n"
    document = json.loads(out.read_text())
    assert [image["id"] for image in document["images"]] == list(layouts.STEMS)
    assert {"id": layouts.CAR, "name": "car"} in document["categories"]
    found = [item for item in document["annotations"] if not item["iscrowd"]]
    expected = [(stem, label, mask) for stem in layouts.STEMS for label, _, mask in layouts.MASKS[stem]]
    key = lambda item: (item[0], item[1], int(item[2].sum()))  # noqa: E731
    got = [(item["image_id"], item["category_id"], decode_mask(item["segmentation"]).to_frame()) for item in found]
    for (stem, label, mask), (its_stem, its_label, its_mask) in zip(
        sorted(expected, key=key), sorted(got, key=key), strict=True
    ):
        assert (stem, label) == (its_stem, its_label)
        assert np.array_equal(mask, its_mask)
    assert [item["category_id"] for item in document["annotations"] if item["iscrowd"]] == [layouts.CAR] * 3
    finder = ImageFolder(download / images, document["images"])
    assert all((download / images / image["file_name"]) == finder.path(image["id"]) for image in document["images"])


def test_what_macos_puts_beside_files_is_no_truth_and_no_list(tmp_path: Path) -> None:
    for layout in (layouts.gtfine, layouts.detectron2):
        source = layout(tmp_path)
        before = open_source(source)[0].records
        for file in [path for path in source.rglob("*") if path.is_file()]:
            file.with_name(f"._{file.name}").write_bytes(b"\0\5\x16\7 macOS")
        assert open_source(source)[0].records == before


def test_other_formats_get_the_instances_alone(download: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", str(download / "gtFine"), "--to", "cityscapes", "--out", str(download / "lists")]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("4 masks (gtfine)")
    assert "left out: 3 of 7 annotations, crowds" in printed.err
    assert len(list((download / "lists").rglob("*.txt"))) == 3, "an image without an instance has an empty list"


def test_refined_truth_keeps_its_numbers(download: Path) -> None:
    source, out = download / "gtFine" / "val", download / "out"
    words = ["--img-dir", str(download / "leftImg8bit" / "val"), "--model", "identity", "--strict"]
    assert main(["refine", str(source), *words, "--out", str(out)]) == 0
    truths = sorted(source.rglob("*instanceIds.png"))
    assert [path.relative_to(source) for path in truths] == [
        path.relative_to(out) for path in sorted(out.rglob("*.png"))
    ]
    for path in truths:
        assert np.array_equal(ids_of(path), ids_of(out / path.relative_to(source)))
    one = download / "one.png"
    assert main(["refine", str(truths[0]), *words, "--out", str(one)]) == 0
    assert np.array_equal(ids_of(one), ids_of(truths[0]))


def test_one_image_in_two_folders_is_not_guessed(download: Path, capsys: pytest.CaptureFixture[str]) -> None:
    png = next((download / "gtFine").rglob("*instanceIds.png"))
    (download / "gtFine" / png.name).write_bytes(png.read_bytes())
    assert main(["convert", str(download / "gtFine"), "--to", "coco", "--out", str(download / "out.json")]) == 1
    assert "expected one PNG for each image, got " in capsys.readouterr().err


def test_folders_and_files_give_the_same(download: Path) -> None:
    """Ground truth and results from the folders of Cityscapes, and from COCO files converted from them."""
    results = layouts.mmdetection(download)
    images = ["--img-dir", str(download / "leftImg8bit" / "val")]
    for source, name in ((results, "results.json"), (download / "gtFine" / "val", "instances.json")):
        assert main(["convert", str(source), "--to", "coco", "--out", str(download / name)]) == 0
    sides = {
        "folders": (str(results), str(download / "gtFine" / "val")),
        "files": (str(download / "results.json"), str(download / "instances.json")),
    }
    for side, (masks, ann) in sides.items():
        store = download / side / "store"
        assert main(["extract-patches", masks, "--ann", ann, *images, "--out", str(store)]) == 0
        assert run_tool("synthesize_masks", [ann, "--out", str(download / side / "made.json")]) == 0
        scores = ["--before", masks, "--ann", ann, *images, "--out", str(download / side / "gains.json")]
        assert main(["analyze", "scatter", masks, *scores]) == 0
        assert main(["eval", masks, "--ann", ann, "--metrics", "ap", "--out", str(download / side / "ap.json")]) == 0
    one, other = (download / side for side in sides)
    assert np.array_equal(np.load(one / "store" / "patches.npy"), np.load(other / "store" / "patches.npy"))
    assert (one / "made.json").read_bytes() == (other / "made.json").read_bytes()
    gains = [json.loads((side / "gains.json").read_text())["gains"] for side in (one, other)]
    assert gains[0] == gains[1]
    rows = [json.loads((side / "ap.json").read_text())["rows"] for side in (one, other)]
    assert [row["value"] for row in rows[0].values()] == [row["value"] for row in rows[1].values()]


def test_a_report_reads_the_folders(download: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("jinja2")
    results, out = layouts.mmdetection(download), download / "report"
    words = ["--before", str(results), "--ann", str(download / "gtFine"), "--img-dir", str(download / "leftImg8bit")]
    assert main(["report", str(results), *words, "--out", str(out)]) == 0
    assert "4 matched pairs of 4 records" in capsys.readouterr().out


def test_a_folder_without_truth_says_so(download: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = str(layouts.mmdetection(download))
    (download / "empty").mkdir()
    words = ["--ann", str(download / "empty"), "--img-dir", str(download / "leftImg8bit"), "--out", str(download / "s")]
    assert main(["extract-patches", results, *words]) == 1
    assert (
        "empty: expected Cityscapes truth (*_gtFine_instanceIds.png, as in gtFine/val), got none"
        in capsys.readouterr().err
    )
    truth = ["--ann", str(download / "gtFine"), *words[2:]]
    assert main(["extract-patches", str(download / "empty"), *truth]) == 1
    assert "expected a Cityscapes folder with <stem>_pred.txt files, got none" in capsys.readouterr().err
