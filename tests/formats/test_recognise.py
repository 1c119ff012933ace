"""The content of a path decides its format; content that fits several formats is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bpr.cli.main import main
from bpr.errors import BPRError
from bpr.formats.format import Candidate
from bpr.formats.recognise import open_source, recognise
from bpr.formats.registry import FORMATS
from bpr.io.png import read_labels, write_png
from tests.formats import layouts, tool_layouts

LAYOUTS: dict[str, Callable[[Path], Path]] = {
    "coco": layouts.coco_results,
    "annotations": layouts.annotations,
    "panoptic": layouts.coco_panoptic,
    "cityscapes": layouts.detectron2,
    "gtfine": layouts.gtfine,
    "semantic": layouts.semantic,
    "masks": layouts.masks,
    "yolo": layouts.yolo,
    "sam": layouts.sam_lists,
    "yolo-export": tool_layouts.roboflow,
    "labelme": tool_layouts.labelme,
    "cvat": tool_layouts.cvat,
    "label-studio": tool_layouts.label_studio,
}


def pngs(folder: Path, *numbers: list[int]) -> Path:
    """A folder with one PNG per list of numbers, which are painted as stripes."""
    for index, stripes in enumerate(numbers):
        write_png(folder / "pngs" / f"{index}.png", np.repeat(np.array([stripes], np.uint8), 6, axis=1).repeat(9, axis=0))
    return folder / "pngs"


def test_a_folder_with_a_file_of_all_images_says_which(tmp_path: Path) -> None:
    """Roboflow's export for COCO: a README is no label."""
    layouts.annotations(tmp_path).rename(tmp_path / "_annotations.coco.json")
    (tmp_path / "README.roboflow.txt").write_text("This dataset was exported")
    with pytest.raises(BPRError, match=r"got none of them; a file of all images, such as _annotations\.coco\.json, is given"):
        open_source(tmp_path)


def test_every_format_has_a_layout() -> None:
    assert LAYOUTS.keys() == {name for name, row in FORMATS.items() if not row.by_window}  # tests/raster has the others


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_source_names_the_format_that_was_recognised(tmp_path: Path, name: str) -> None:
    images = layouts.photographs(tmp_path)
    source = LAYOUTS[name](tmp_path)
    assert open_source(source, None, images)[0].format == open_source(source, name, images)[0].format == name


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_order_of_the_registry_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("bpr.formats.recognise.FORMATS", dict(reversed(FORMATS.items())))
    assert recognise(Candidate(LAYOUTS[name](tmp_path))).name == name


def test_two_formats_of_the_same_precedence_are_not_chosen_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMATS, "twin", replace(FORMATS["yolo"], name="twin"))
    folder = layouts.yolo(tmp_path)
    with pytest.raises(BPRError, match="expected masks of one format, got what may be yolo or twin; choose one with --format"):
        open_source(folder, None, tmp_path)


def test_a_missing_png_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BPRError, match=r"mask\.png: no such file; expected masks in JSON or XML, a PNG, or a folder"):
        open_source(tmp_path / "mask.png")


@pytest.mark.parametrize(
    ("numbers", "name"),
    [
        ([[0, 255], [0], [255], [0, 1]], "masks"),
        ([[0, 1], [1]], "masks"),
        ([[0]], "masks"),
        ([[0, 26], [0, 24]], "masks"),
        ([[2, 11], [0, 1, 2], [7], [255]], "semantic"),
        ([[0, 1, 255]], "semantic"),
        ([[0, 255], [1, 2]], "semantic"),
    ],
)
def test_the_numbers_of_pngs_decide(tmp_path: Path, numbers: list[list[int]], name: str) -> None:
    assert open_source(pngs(tmp_path, *numbers))[0].format == name


@pytest.mark.parametrize("numbers", [[[0, 1, 2]], [[0, 1, 3]], [[0, 255], [0, 1, 2, 3]], [[0, 7], [7]]])
def test_pngs_that_may_be_either_are_refused(tmp_path: Path, numbers: list[list[int]]) -> None:
    folder = pngs(tmp_path, *numbers)
    message = f"{len(numbers) - 1}.png: expected masks or a label map, .* say --format masks .* or --format semantic"
    with pytest.raises(BPRError, match=message):
        open_source(folder)
    for name in ("masks", "semantic"):
        assert open_source(folder, name)[0].format == name


def test_a_mask_png_without_a_mask_is_an_empty_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, images, out = pngs(tmp_path, [0, 255], [0, 0]), tmp_path / "images", tmp_path / "out"
    for name in ("0.png", "1.png"):
        write_png(images / name, np.zeros((9, 12, 3), np.uint8))
    assert main(["refine", str(folder), "--format", "masks", "--img-dir", str(images), "--model", "identity", "--out", str(out)]) == 0
    assert "1 empty mask" in capsys.readouterr().out
    assert not read_labels(out / "1.png")[0].any()


def test_a_byte_order_mark_before_json_is_skipped(tmp_path: Path) -> None:
    records = json.loads(layouts.coco_results(tmp_path).read_text())
    path = tmp_path / "marked.json"
    path.write_text(json.dumps(records), encoding="utf-8-sig")
    source, _ = open_source(path)
    assert (source.format, list(source.records)) == ("coco", records)
