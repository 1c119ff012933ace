"""A wrong file is one line that says why, and nothing is written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bpr.cli.main import main
from tests.formats import layouts
from tests.formats.test_round_trips import files

STEM = layouts.STEMS[0]


def text(name: str, content: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
        return folder / name.split("/")[0]

    return write


def pred(line: str) -> Callable[[Path], Path]:
    return text(f"city/{STEM}_pred.txt", line)


def panoptic(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        source = layouts.coco_panoptic(folder)
        document = json.loads(source.read_text())
        change(document["annotations"][0])
        source.write_text(json.dumps(document))
        return source

    return write


def without_png(folder: Path) -> Path:
    source = layouts.coco_panoptic(folder)
    (source.with_suffix("") / f"{STEM}.png").unlink()
    return source


def cut_png(folder: Path) -> Path:
    source = layouts.semantic(folder)
    path = source / f"{STEM}.png"
    path.write_bytes(path.read_bytes()[:60])
    return source


def linked(folder: Path) -> Path:
    """A valid list whose PNG is a link to a file elsewhere."""
    source = layouts.detectron2(folder)
    png = next(source.glob("*.png"))
    png.rename(folder / "elsewhere.png")
    png.symlink_to(folder / "elsewhere.png")
    return source


def counted(folder: Path) -> Path:
    """A PNG of 0, 1 and 2: two objects on a background, or three classes."""
    cv2.imwrite(str(folder / "mask.png"), np.arange(3, dtype=np.uint8)[None].repeat(4, axis=0))
    return folder / "mask.png"


def coloured(folder: Path) -> Path:
    cv2.imwrite(str(folder / "mask.png"), np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8))
    return folder / "mask.png"


def entry(name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        source = layouts.annotations(folder)
        document = json.loads(source.read_text())
        document["images"][0]["file_name"] = name
        source.write_text(json.dumps(document))
        return source

    return write


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.json")
    return folder / "pipe.json"


def absent(folder: Path) -> Path:
    return folder / "missing"


def empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


ROWS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a path that is not there": (absent, "no such file"),
    "an empty folder": (empty, "(*_gtFine_instanceIds.png), label PNGs, JSON of Segment Anything"),
    "a .pkl or .pth of results": (text("results.pkl", "x"), "test_evaluator.outfile_prefix=results test_evaluator.format_only=True"),
    "truncated JSON": (text("cut.json", "[{"), "not valid JSON"),
    "results: a record that is none": (text("r.json", '[{"image_id": 1}]'), "record 0: expected an object with image_id and segmentation"),
    "results: a pipe or device": (pipe, "cannot read it (not a regular file)"),
    "JSON that is neither results nor annotations": (text("odd.json", "3"), "expected COCO results (a JSON list of records)"),
    "results: in an object": (text("r.json", '{"results": [{"image_id": 1}]}'), "give results as the list alone"),
    "annotations: without their images": (text("a.json", '{"annotations": []}'), "expected a COCO annotation file with an images list"),
    "annotations: images alone": (text("a.json", '{"images": []}'), "expected a COCO annotation file with an annotations list, got none"),
    "annotations: not an object": (text("a.json", '{"images": [], "annotations": [3]}'), "annotation 0: expected an object with"),
    "annotations: image id twice": (text("a.json", '{"images": [{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}]}'), "id 1 twice"),
    "annotations: image name with ..": (entry("../secret.png"), "images list: expected a file name inside its folder"),
    "annotations: absolute image name": (entry("/etc/passwd"), "images list: expected a file name inside its folder"),
    "annotations: image name of Windows": (entry("C:\\secret.png"), "images list: expected a file name inside its folder"),
    "annotations: image id that is no number or text": (
        text("a.json", '{"images": [{"id": true, "file_name": "a"}]}'),
        "images: expected an id that is a number or a string, got True",
    ),
    "JSON too deep to be written again": (text("deep.json", "[" * 99 + "]" * 99), "expected JSON of at most 64 lists and objects"),
    "Cityscapes: a link out of its folder": (linked, "expected a file inside its folder, got a link out of it"),
    "Cityscapes: line without three fields": (pred("mask.png 26\n"), "line 1: expected <png> <labelId> <score>"),
    "Cityscapes: label or score that is no number": (pred("mask.png car 0.5\n"), "line 1: expected <png> <labelId> <score>"),
    "Cityscapes: score NaN": (pred("mask.png 26 nan\n"), "line 1: expected a finite score"),
    "Cityscapes: missing PNG": (pred("mask.png 26 0.5\n"), "cannot read the PNG"),
    "Cityscapes: PNG name with ..": (pred("../mask.png 26 0.5\n"), "line 1: expected a file name inside its folder"),
    "Cityscapes: absolute PNG name": (pred("/etc/mask.png 26 0.5\n"), "line 1: expected a file name inside its folder"),
    "panoptic: PNG name with ..": (panoptic(lambda image: image.update(file_name="../x.png")), "annotation 0: expected a file name inside"),
    "panoptic: missing PNG": (without_png, "cannot read the PNG"),
    "panoptic: no segments_info": (panoptic(lambda image: image.pop("segments_info")), "expected image_id, file_name and segments_info"),
    "panoptic: segment without id": (panoptic(lambda image: image["segments_info"].append({})), "expected segments with id and"),
    "panoptic: segment id twice": (panoptic(lambda image: image["segments_info"].extend(image["segments_info"])), "segment id once"),
    "panoptic: pixels of an unlisted id": (panoptic(lambda image: image["segments_info"].pop()), "26002 in the PNG alone"),
    "label PNG: cut or damaged": (cut_png, "expected a whole PNG, got one that is cut or damaged"),
    "label PNGs that may be masks or semantic": (counted, "say --format masks (0 is background) or --format semantic"),
    "mask PNG: several colours": (coloured, "expected a mask, got a picture of many colours"),
    "YOLO: fewer than three points": (text("labels/a.txt", "0 0.1 0.1 0.2\n"), "expected a class and 3 or more points"),
    "YOLO: words": (text("labels/a.txt", "dog 0.1\n"), "expected a class and numbers"),
    "YOLO: NaN": (text("labels/a.txt", "0 nan 0.1 0.2 0.2 0.3 0.3\n"), "expected a class and 3 or more points"),
}
"""Bad input -> a part of the line that the user sees."""


@pytest.mark.parametrize("case", ROWS)
def test_a_wrong_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str) -> None:
    make, message = ROWS[case]
    images, folder = layouts.photographs(tmp_path), tmp_path / "in"
    folder.mkdir()
    source = make(folder)
    before = set(tmp_path.rglob("*"))
    assert main(["refine", str(source), "--img-dir", str(images), "--model", "identity", "--out", str(tmp_path / "out.json")]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert set(tmp_path.rglob("*")) == before


def refine(source: Path, out: Path, *options: str) -> int:
    return main(["refine", str(source), "--model", "identity", "--out", str(out), *options])


def test_no_images_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refine(layouts.detectron2(tmp_path), tmp_path / "out") == 1
    assert "expected --img-dir with the folder of the images" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "wanted"), [("panoptic", "a JSON file"), ("yolo", "a folder"), ("masks", "a picture or a folder of pictures")]
)
def test_a_format_that_the_path_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, wanted: str) -> None:
    source = layouts.detectron2(tmp_path) if name == "panoptic" else layouts.coco_results(tmp_path)
    assert refine(source, tmp_path / "out", "--format", name, "--img-dir", str(tmp_path)) == 1
    assert f"expected {wanted} for --format {name}" in capsys.readouterr().err


def test_a_folder_with_files_of_the_user_is_never_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, source, out = layouts.photographs(tmp_path), layouts.detectron2(tmp_path), tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("mine")
    assert refine(source, out, "--img-dir", str(images)) == 1
    assert "the folder holds other files" in capsys.readouterr().err
    assert files(out) == {"thesis.tex": b"mine"}
    assert refine(source, tmp_path / "new", "--img-dir", str(images)) == 0
    assert refine(source, tmp_path / "new", "--img-dir", str(images)) == 0
    assert files(tmp_path / "new") == files(source)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("layout", [layouts.coco_results, layouts.detectron2, layouts.coco_panoptic])
def test_an_output_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str], layout: Callable[[Path], Path]) -> None:
    images, source = layouts.photographs(tmp_path), layout(tmp_path)
    (tmp_path / "file").touch()
    assert refine(source, tmp_path / "file" / "out.json", "--img-dir", str(images)) == 1
    assert "cannot write there" in capsys.readouterr().err


def test_panoptic_output_is_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = layouts.photographs(tmp_path)
    assert refine(layouts.coco_panoptic(tmp_path), tmp_path / "out", "--img-dir", str(images)) == 1
    assert "expected a .json file to write" in capsys.readouterr().err


@pytest.mark.parametrize("layout", [layouts.detectron2, layouts.coco_panoptic, layouts.semantic, layouts.yolo])
def test_without_its_image_a_mask_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str], layout: Callable[[Path], Path]) -> None:
    images, source = layouts.photographs(tmp_path), layout(tmp_path)
    next(images.rglob(f"{STEM}*")).unlink()
    out = tmp_path / "out.json"
    assert refine(source, out, "--img-dir", str(images), "--strict") == 1
    assert "no image" in capsys.readouterr().out
    folders = (out.with_suffix(""), source.with_suffix("")) if source.suffix else (out, source)
    assert files(folders[0]) == files(folders[1])


def test_masks_of_another_size_than_the_image_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, source = layouts.photographs(tmp_path), layouts.detectron2(tmp_path)
    cv2.imwrite(str(next(images.rglob(f"{STEM}*"))), np.zeros((45, 65, 3), np.uint8))
    assert refine(source, tmp_path / "out", "--img-dir", str(images)) == 0
    assert "expected the image's 45x65 (height x width), got 90x130" in capsys.readouterr().err
    assert files(tmp_path / "out") == files(source)


def test_an_ambiguous_image_name_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, source = layouts.photographs(tmp_path), layouts.detectron2(tmp_path)
    (images / "copy").mkdir()
    cv2.imwrite(str(images / "copy" / f"{STEM}.png"), np.zeros((*layouts.FRAME, 3), np.uint8))
    assert refine(source, tmp_path / "out", "--img-dir", str(images), "--strict") == 1
    error = capsys.readouterr().err
    assert f"image_id '{STEM}': expected one file of that name" in error
    assert "aachen/" in error
    assert "copy/" in error


def test_an_ambiguous_image_stem_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It cannot be known on which of them the masks were made."""
    images, source = layouts.photographs(tmp_path), layouts.detectron2(tmp_path)
    photo = next(images.rglob(f"{STEM}*"))
    cv2.imwrite(str(photo.with_suffix(".jpg")), np.zeros((*layouts.FRAME, 3), np.uint8))
    assert refine(source, tmp_path / "out", "--img-dir", str(images), "--strict") == 1
    error = capsys.readouterr().err
    assert f"got {photo.with_suffix('.jpg')} and {photo}; it is not clear which one is meant" in error
    assert files(tmp_path / "out") == files(source)


def test_spaces_and_unicode_in_names(tmp_path: Path) -> None:
    images, source = layouts.photographs(tmp_path), tmp_path / "Größe 測試"
    layouts.polytransform(tmp_path).rename(source)
    (source / "masks").rename(source / "mes masques")
    for path in source.glob("*.txt"):
        path.write_text(path.read_text().replace("masks/", "mes masques/"), encoding="utf-8")
    assert refine(source, tmp_path / "aus gabe é", "--img-dir", str(images), "--strict") == 0
    assert files(tmp_path / "aus gabe é") == files(source)
