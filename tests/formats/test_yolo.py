"""What follows the points of a YOLO line, files beside the labels, and classes that are numbered anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bpr.cli.main import main
from bpr.formats.recognise import open_source
from bpr.formats.yolo_names import class_names
from bpr.io.png import write_png
from tests.formats import layouts

SQUARE = "0 0.59375 0.208333 0.88125 0.208333 0.88125 0.675 0.59375 0.675"
BOX = [95.0, 25.0, 46.0, 56.0]


def folder(tmp_path: Path, *lines: str, encoding: str = "utf-8", newline: str = "\n", name: str = "p.txt") -> Path:
    """A folder of one label file, and its image."""
    write_png(tmp_path / "images" / "p.png", np.zeros((120, 160, 3), np.uint8))
    (tmp_path / "labels").mkdir(exist_ok=True)
    (tmp_path / "labels" / name).write_text("".join(line + newline for line in lines), encoding=encoding, newline="")
    return tmp_path / "labels"


def records(tmp_path: Path, labels: Path) -> list[dict[str, Any]]:
    return list(open_source(labels, "yolo", tmp_path / "images")[0].records)


def box(record: dict[str, Any]) -> list[float]:
    from bpr.geometry.rle import decode_mask

    return decode_mask(record["segmentation"]).bbox


@pytest.mark.parametrize(
    ("lines", "scores", "tracks"),
    [
        ([""], [None], [None]),
        ([" 0.87"], [0.87], [None]),
        ([" 1"], [1.0], [None]),
        ([" 1.0"], [1.0], [None]),
        ([" 3"], [None], [3]),
        ([" 3", " 1"], [None, None], [3, 1]),
        ([" 0.87 3"], [0.87], [3]),
        ([" 1 3"], [1.0], [3]),
        ([" 0.87 2", " 0.5 1", " 0.25"], [0.87, 0.5, 0.25], [2, 1, None]),
        ([" 0.87 1", " 0.5 1"], [0.87, 0.5], [1, 1]),
        ([" -1"], [None], [-1]),
        ([" 0.87 -1"], [0.87], [-1]),
        ([" 7.0", " 12345678901234567890"], [None, None], [7, 12345678901234567890]),
        ([" 0.87", ""], [0.87, None], [None, None]),
    ],
)
def test_what_follows_the_points(
    tmp_path: Path, lines: list[str], scores: list[float | None], tracks: list[int | None]
) -> None:
    found = records(tmp_path, folder(tmp_path, *(SQUARE + end for end in lines)))
    assert [record.get("score") for record in found] == scores
    assert [record.get("track_id") for record in found] == tracks
    assert [box(record) for record in found] == [BOX] * len(lines)


def test_ids_are_told_by_all_files_of_the_folder(tmp_path: Path) -> None:
    labels = folder(tmp_path, SQUARE + " 0.87 1")
    folder(tmp_path, SQUARE + " 0.9 14", name="q.txt")
    assert [record["track_id"] for record in records(tmp_path, labels)] == [1, 14]


@pytest.mark.parametrize("last", ["1.02", "-0.01", "0.675"])
def test_a_point_near_the_border_is_a_point(tmp_path: Path, last: str) -> None:
    (record,) = records(tmp_path, folder(tmp_path, f"{SQUARE} 0.59375 {last}"))
    assert record.keys() == {"image_id", "category_id", "segmentation"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 95 25 141 25 141 81 95 81", "expected points in fractions of the image, got 95; divide pixels by"),
        ("0 0.5 0.1 0.9 0.1 0.9 2.5 0.1 0.1", "expected points in fractions of the image, got 2.5; divide"),
        (SQUARE + " 7.5", "expected points in fractions of the image, got 7.5; divide"),
        (SQUARE + " 95 3", "expected points in fractions of the image, got 95; divide"),
        ("0.5 0.1 0.1 0.9 0.1 0.9 0.9", "expected a class and numbers, got '0.5 0.1"),
        ("nan 0.1 0.1 0.9 0.1 0.9 0.9", "expected a class and numbers"),
        ("0 0.5 0.5", "expected a class and 3 or more points"),
        ("-1" + SQUARE[1:], "expected a class of 0 to 32767, got '-1'"),
        ("1e300" + SQUARE[1:], "expected a class of 0 to 32767, got '1e300'"),
        (SQUARE + " -0.3", "expected a score of 0 to 1 after the points, got -0.3"),
    ],
)
def test_values_that_are_neither_point_nor_score_are_one_line(
    tmp_path: Path, line: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = folder(tmp_path, SQUARE, line)
    assert main(["convert", str(labels), "--img-dir", str(tmp_path / "images"), "--to", "coco", "--out", str(tmp_path / "o.json")]) == 1
    assert f"p.txt: instance 2: {message}" in capsys.readouterr().err


BOXES = ["0 0.5 0.5 0.2 0.2", "0 0.5 0.5 0.2 0.2 0.9", "1 0.5 0.5 0.2 0.2 0.9 3"]


@pytest.mark.parametrize("box_line", BOXES)
def test_a_box_among_polygons_is_left_out_counted_and_kept(
    tmp_path: Path, box_line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = folder(tmp_path, box_line, SQUARE)
    paint_disc(tmp_path)
    first, second = (refine(tmp_path, labels, "starter-fast") / "p.txt").read_text().splitlines()
    assert "left out: 1 of 2 annotations, boxes (first: annotation 0)" in capsys.readouterr().err
    assert (first, second == SQUARE) == (box_line, False)
    assert [record["category_id"] for record in records(tmp_path, labels)] == [0]


def test_labels_of_boxes_alone_are_a_run_without_a_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = folder(tmp_path, *BOXES)
    arguments = [str(labels), "--format", "yolo", "--img-dir", str(tmp_path / "images"), "--model", "identity"]
    assert main(["refine", *arguments, "--out", str(tmp_path / "out")]) == 1
    assert "left out: 3 of 3 annotations, boxes" in capsys.readouterr().err


def test_what_may_be_a_point_or_an_id_is_said(tmp_path: Path) -> None:
    labels = folder(tmp_path, SQUARE + " 0.87 1")
    assert "all lines end with a number and 1, read as a point" in open_source(labels, "yolo", tmp_path / "images")[0].notes[0]
    folder(tmp_path, SQUARE + " 0.5 1", name="q.txt")
    (note,) = open_source(labels, "yolo", tmp_path / "images")[0].notes
    assert note == "all lines end with a number and 1, read as a score and the id of a track"
    folder(tmp_path, SQUARE, name="q.txt")
    assert not open_source(labels, "yolo", tmp_path / "images")[0].notes


def test_labels_of_a_whole_data_set_without_its_images(tmp_path: Path) -> None:
    folder(tmp_path, SQUARE)
    (tmp_path / "set").mkdir()
    (tmp_path / "labels").rename(tmp_path / "set" / "labels")
    (record,) = records(tmp_path, tmp_path / "set")
    assert record["image_id"] == "p"


def test_what_macos_puts_beside_files_is_no_label(tmp_path: Path) -> None:
    labels = folder(tmp_path, SQUARE)
    (labels / "._p.txt").write_bytes(b"\0\5\x16\7 macOS")
    assert len(records(tmp_path, labels)) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_marks_and_line_ends_of_windows(tmp_path: Path, encoding: str, newline: str) -> None:
    (record,) = records(tmp_path, folder(tmp_path, SQUARE, "", encoding=encoding, newline=newline))
    assert box(record) == BOX


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_keeps_its_mark_and_the_lines_that_do_not_change(tmp_path: Path, encoding: str) -> None:
    kept = f"  {SQUARE.replace(' ', '  ')} 0.10 3 "
    labels = folder(tmp_path, f"{SQUARE} 0.9 2", "", kept, encoding=encoding, newline="\r\n")
    before = (labels / "p.txt").read_bytes()
    assert (refine(tmp_path, labels) / "p.txt").read_bytes() == before
    paint_disc(tmp_path)
    after = (refine(tmp_path, labels, "starter-fast", "--min-score", "0.5") / "p.txt").read_bytes()
    assert after[:2] == before[:2]
    first, *rest = after.decode(encoding).split("\r\n")
    assert rest == ["", kept, ""]
    assert first != f"{SQUARE} 0.9 2"
    assert first.endswith(" 0.9 2")


def test_a_class_may_be_written_as_a_float(tmp_path: Path) -> None:
    (record,) = records(tmp_path, folder(tmp_path, "1.0" + SQUARE[1:]))
    assert record["category_id"] == 1
    assert type(record["category_id"]) is int


def refine(tmp_path: Path, labels: Path, model: str = "identity", *options: str) -> Path:
    out = tmp_path / "out"
    arguments = [str(labels), "--format", "yolo", "--img-dir", str(tmp_path / "images"), "--model", model, "--out", str(out)]
    assert main(["refine", *arguments, *options]) == 0
    return out


def paint_disc(tmp_path: Path) -> None:
    """An image in which the square's object is round."""
    y, x = np.mgrid[:120, :160]
    disc = np.where((x - 118) ** 2 + (y - 53) ** 2 < 29**2, 230, 30).astype(np.uint8)
    write_png(tmp_path / "images" / "p.png", np.dstack([disc] * 3))


@pytest.mark.parametrize("end", ["", " 0.87", " 3", " 0.87 3", " 1", " 0.10 7.0", " 9007199254740993"])
def test_a_changed_line_keeps_its_score_and_id(tmp_path: Path, end: str) -> None:
    labels = folder(tmp_path, SQUARE + end)
    paint_disc(tmp_path)
    text = (refine(tmp_path, labels, "starter-fast") / "p.txt").read_text()
    assert text != f"{SQUARE}{end}\n"
    assert text.endswith(f"{end}\n")
    words = text.split()[1:]
    assert (len(words) - len(end.split())) % 2 == 0
    assert all("." in word for word in words[: len(words) - len(end.split())])


def test_files_that_tools_put_beside_labels_are_kept(tmp_path: Path) -> None:
    labels = folder(tmp_path, SQUARE)
    (labels / "classes.txt").write_text("cat\ndog\n")
    (labels / "train.txt").write_text("images/p.png\n")
    (labels / "data.yaml").write_text("names: [cat, dog]\n")
    out = refine(tmp_path, labels)
    assert sorted(path.name for path in out.iterdir()) == [".bpr", "classes.txt", "data.yaml", "p.txt", "train.txt"]
    assert (out / "classes.txt").read_text() == "cat\ndog\n"


def test_a_label_file_may_be_called_like_one_of_them(tmp_path: Path) -> None:
    write_png(tmp_path / "images" / "train.png", np.zeros((120, 160, 3), np.uint8))
    (record,) = records(tmp_path, folder(tmp_path, SQUARE, name="train.txt"))
    assert record["image_id"] == "train"


def test_an_empty_label_file_is_an_image_without_objects(tmp_path: Path) -> None:
    labels = folder(tmp_path, SQUARE)
    folder(tmp_path, name="q.txt")
    write_png(tmp_path / "images" / "q.png", np.zeros((30, 40, 3), np.uint8))
    assert (refine(tmp_path, labels) / "q.txt").read_text() == ""
    document = annotations(tmp_path, labels)
    assert [(image["file_name"], image["height"], image["width"]) for image in document["images"]] == [
        ("p.png", 120, 160),
        ("q.png", 30, 40),
    ]


def test_labels_beside_png_photos_are_labels(tmp_path: Path) -> None:
    labels = folder(tmp_path, SQUARE)
    colours = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    for place, pixels in (("colours", colours), ("grey", np.eye(120, 160, dtype=np.uint8))):
        mixed = tmp_path / place
        write_png(mixed / "p.png", pixels)
        (mixed / "p.txt").write_text((labels / "p.txt").read_text())
        source, _ = open_source(mixed, None, mixed)
        assert source.format == "yolo"
        assert box(source.records[0]) == BOX


YAML = {
    "names: [cat, 'big dog', \"it's\"]": {0: "cat", 1: "big dog", 2: "it's"},
    "names: ['a, b', c]  # two": {0: "a, b", 1: "c"},
    "names:\n- cat\n- dog\nnc: 2": {0: "cat", 1: "dog"},
    "nc: 2\nnames:\n  - cat\n  - 'big dog'": {0: "cat", 1: "big dog"},
    "path: ..\nnames:\n  0: cat\n  1: dog # tail\n\ndownload: x": {0: "cat", 1: "dog"},
    "names:\n  '0': cat\n  7: \"d\\u00f6g\"": {0: "cat", 7: "d\u00f6g"},
    "names: {0: cat, 1: dog}": {0: "cat", 1: "dog"},
    "names: [cat,\n  dog]": {0: "cat", 1: "dog"},
    "train: images": {},
    "names:": {},
    "names: {": {},
}


@pytest.mark.parametrize("text", YAML)
def test_names_of_a_data_yaml(tmp_path: Path, text: str) -> None:
    (tmp_path / "labels" / "train").mkdir(parents=True)
    (tmp_path / "data.yaml").write_text(text, encoding="utf-8-sig")
    assert class_names(tmp_path / "labels" / "train") == YAML[text]


def annotations(tmp_path: Path, source: Path, *options: str) -> dict[str, Any]:
    out = tmp_path / "annotations.json"
    images = [] if "--ann" in options else ["--img-dir", str(tmp_path / "images")]
    assert main(["convert", str(source), *images, *options, "--to", "annotations", "--out", str(out)]) == 0
    document: dict[str, Any] = json.loads(out.read_text())
    return document


@pytest.mark.parametrize("file", ["data.yaml", "labels/classes.txt"])
def test_a_whole_annotation_file_of_yolo_labels(tmp_path: Path, file: str) -> None:
    labels = folder(tmp_path, SQUARE, "2" + SQUARE[1:])
    (tmp_path / file).write_text("names: [cat, dog, bird]" if file.endswith("yaml") else "cat\ndog\nbird\n")
    document = annotations(tmp_path, labels)
    assert document["images"] == [{"id": 1, "file_name": "p.png", "height": 120, "width": 160}]
    assert document["categories"] == [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}, {"id": 2, "name": "bird"}]
    kept = [(one["id"], one["image_id"], one["category_id"], one["bbox"], one["area"], one["iscrowd"]) for one in document["annotations"]]
    assert kept == [(1, 1, 0, BOX, 2576, 0), (2, 1, 2, BOX, 2576, 0)]


def test_the_official_reader_takes_it(tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    annotations(tmp_path, folder(tmp_path, SQUARE))
    coco = COCO(str(tmp_path / "annotations.json"))
    (one,) = coco.loadAnns(coco.getAnnIds(imgIds=[1], catIds=[0]))
    assert coco.annToMask(one).sum() == 2576


@pytest.mark.parametrize("layout", [layouts.detectron2, layouts.coco_results, layouts.coco_panoptic, layouts.masks, layouts.semantic])
def test_any_format_becomes_a_whole_annotation_file(tmp_path: Path, layout: Any) -> None:
    images = layouts.photographs(tmp_path)
    out = tmp_path / "annotations.json"
    assert main(["convert", str(layout(tmp_path)), "--img-dir", str(images), "--to", "annotations", "--out", str(out)]) == 0
    document = json.loads(out.read_text())
    files = {image["id"]: images / image["file_name"] for image in document["images"]}
    assert files
    assert all(file.is_file() for file in files.values())
    assert {one["image_id"] for one in document["annotations"]} <= files.keys()
    assert {one["category_id"] for one in document["annotations"]} == {one["id"] for one in document["categories"]}
    assert main(["refine", str(out), "--img-dir", str(images), "--model", "identity", "--out", str(tmp_path / "refined.json")]) == 0


def test_an_annotation_file_keeps_its_ids_names_and_keys(tmp_path: Path) -> None:
    source = layouts.annotations(tmp_path)
    before, after = json.loads(source.read_text()), annotations(tmp_path, source, "--ann", str(source))
    assert after["images"] == before["images"]
    assert [one["id"] for one in after["annotations"]] == [0, 2, 3]
    assert after["annotations"][0]["attributes"] == {"by": 0}
    assert [one["id"] for one in after["categories"]] == [26, 24]
    assert after["categories"][0]["name"] == "car"


def test_a_whole_annotation_file_needs_the_names_of_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = layouts.masks(tmp_path)
    assert main(["convert", str(source), "--to", "annotations", "--out", str(tmp_path / "o.json")]) == 1
    assert "expected --img-dir with the folder of the images, got none" in capsys.readouterr().err


def test_classes_are_numbered_from_0_and_named(tmp_path: Path) -> None:
    source = layouts.annotations(tmp_path)
    assert main(["convert", str(source), "--to", "yolo", "--out", str(tmp_path / "out")]) == 0
    lines = [line.split()[0] for path in sorted((tmp_path / "out").rglob("*.txt")) for line in path.read_text().splitlines()]
    assert lines == ["0", "0", "1"]  # the listed car, and a class that the file does not list
    assert (tmp_path / "out" / "data.yaml").read_text() == (
        'train: images\nval: images\nnc: 2\nnames:\n  0: "car"\n  1: "24"\n'
    )
    assert class_names(tmp_path / "out") == {0: "car", 1: "24"}


def test_the_classes_of_yolo_labels_keep_their_numbers(tmp_path: Path) -> None:
    labels = folder(tmp_path, "2" + SQUARE[1:])
    assert main(["convert", str(labels), "--img-dir", str(tmp_path / "images"), "--to", "yolo", "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "p.txt").read_text().startswith("2 ")
    assert class_names(tmp_path / "out") == {0: "0", 1: "1", 2: "2"}
