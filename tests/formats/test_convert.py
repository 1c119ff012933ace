from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bpr.cli.main import main
from bpr.formats.registry import FORMATS
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask
from bpr.io.png import read_labels
from tests.formats import layouts

TARGETS = [name for name, row in FORMATS.items() if row.target]


def convert(source: Path, target: str, out: Path, *options: str) -> int:
    return main(["convert", str(source), "--to", target, "--out", str(out), *options])


def segmentations(path: Path) -> list[object]:
    return [record["segmentation"] for record in json.loads(path.read_text())]


@pytest.mark.parametrize("target", TARGETS)
def test_there_and_back_changes_no_mask(tmp_path: Path, target: str) -> None:
    name = "out.json" if target in ("coco", "annotations", "panoptic") else "out"
    source, images = layouts.coco_results(tmp_path), layouts.photographs(tmp_path)
    exact = ["--polygons", "0"] if target == "yolo" else []
    assert convert(source, target, tmp_path / name, "--img-dir", str(images), *exact) == 0
    back = ["--img-dir", str(images), *(["--format", "masks"] if target == "masks" else [])]
    assert convert(tmp_path / name, "coco", tmp_path / "back.json", *back) == 0
    assert segmentations(tmp_path / "back.json") == segmentations(source)


def test_annotations_give_names_and_sizes_of_images(tmp_path: Path) -> None:
    source = layouts.annotations(tmp_path)
    assert convert(source, "cityscapes", tmp_path / "out") == 0
    lists = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.txt"))
    assert lists == sorted(f"{stem.split('_')[0]}/{stem}_leftImg8bit_pred.txt" for stem in layouts.STEMS)


def test_a_folder_gets_the_ids_of_an_annotation_file(tmp_path: Path) -> None:
    source = layouts.mmdetection(tmp_path)
    assert convert(source, "coco", tmp_path / "out.json", "--ann", str(layouts.annotations(tmp_path))) == 0
    assert [record["image_id"] for record in json.loads((tmp_path / "out.json").read_text())] == [0, 0, 0, 1]


def test_polygons_without_sizes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = tmp_path / "polygons.json"
    results.write_text(json.dumps([{"image_id": 1, "category_id": 1, "segmentation": [[1, 1, 9, 1, 9, 9]]}]))
    assert convert(results, "coco", tmp_path / "out.json") == 1
    assert "give --ann with the sizes of the images" in capsys.readouterr().err


@pytest.mark.parametrize(("target", "name"), [("panoptic", "out.json"), ("masks", "out")])
def test_overlap_is_refused_where_the_format_has_none(tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str, name: str) -> None:
    source = layouts.coco_results(tmp_path)
    source.write_text(json.dumps(json.loads(source.read_text())[:1] * 2))
    assert convert(source, target, tmp_path / name) == 1
    assert "expected masks without overlap" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [source.name]


def test_an_id_that_leaves_the_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = layouts.coco_results(tmp_path)
    source.write_text(json.dumps([{**json.loads(source.read_text())[0], "image_id": "../../escaped"}]))
    for target in ("cityscapes", "yolo", "masks"):
        assert convert(source, target, tmp_path / "deep" / "out") == 1
        assert "inside its folder" in capsys.readouterr().err
    assert not list(tmp_path.parent.rglob("*escaped*"))


def changed(folder: Path, **values: object) -> Path:
    """Results whose second record has other values; a value of ``...`` removes the key."""
    source = layouts.coco_results(folder)
    records = json.loads(source.read_text())
    records[1] = {key: value for key, value in {**records[1], **values}.items() if value is not ...}
    source.write_text(json.dumps(records))
    return source


@pytest.mark.parametrize("target", ["coco", "cityscapes", "panoptic", "yolo"])
@pytest.mark.parametrize("value", [..., None, 1.5, True, ["a"], "a b\nc", "x/../../evil", "\0", "c" * 300])
def test_a_class_that_the_format_cannot_hold_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str, value: object
) -> None:
    source = changed(tmp_path, category_id=value)
    if target == "coco" and isinstance(value, str):  # COCO's JSON may hold any text
        assert convert(source, target, tmp_path / "out.json") == 0
        return
    assert convert(source, target, tmp_path / "out.json") == 1
    line = capsys.readouterr().err
    assert re.search("record 1: (expected a category_id|category_id: expected a whole number)", line)
    assert len(line.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == [source.name]


def test_mask_pngs_need_no_class(tmp_path: Path) -> None:
    assert convert(changed(tmp_path, category_id=...), "masks", tmp_path / "out") == 0


def test_a_class_that_is_a_whole_number_is_written_as_one(tmp_path: Path) -> None:
    assert convert(changed(tmp_path, category_id=7.0), "cityscapes", tmp_path / "out") == 0
    assert " 7 " in (tmp_path / "out" / f"{layouts.STEMS[0]}_pred.txt").read_text().splitlines()[1]


@pytest.mark.parametrize("target", ["coco", "cityscapes", "yolo"])
@pytest.mark.parametrize("value", [None, "hi", True, float("nan"), 10**400])
def test_a_score_that_is_not_a_number_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str, value: object) -> None:
    source = changed(tmp_path, score=value)
    assert convert(source, target, tmp_path / "out") == 1
    assert "record 1: score: expected a finite number" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [source.name]


@pytest.mark.parametrize(("target", "name"), [("coco", "out.json"), ("cityscapes", "out")])
def test_a_missing_score_is_reported_where_one_is_needed(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    target: str,
    name: str,
) -> None:
    assert convert(changed(tmp_path, score=...), target, tmp_path / name) == 0
    assert capsys.readouterr().err == "score 1.0 given to 1 of 4 records, without one (first: record 1)\n"
    assert convert(tmp_path / name, "coco", tmp_path / "back.json") == 0
    assert [record["score"] for record in json.loads((tmp_path / "back.json").read_text())] == [0.9876, 1.0, 0.25, 0.75]


def test_scores_of_results_go_to_yolo_and_come_back(tmp_path: Path) -> None:
    source, images = layouts.coco_results(tmp_path), layouts.photographs(tmp_path)
    assert convert(source, "yolo", tmp_path / "out") == 0
    assert convert(tmp_path / "out", "coco", tmp_path / "back.json", "--img-dir", str(images)) == 0
    scores = [[record["score"] for record in json.loads(path.read_text())] for path in (source, tmp_path / "back.json")]
    assert scores[0] == scores[1]


@pytest.mark.parametrize("layout", [layouts.annotations, layouts.masks, layouts.coco_panoptic, layouts.yolo])
def test_ground_truth_becomes_yolo_without_scores(tmp_path: Path, layout: Callable[[Path], Path]) -> None:
    images = layouts.photographs(tmp_path)
    assert convert(layout(tmp_path), "yolo", tmp_path / "out", "--img-dir", str(images)) == 0
    lines = [line for path in (tmp_path / "out").rglob("*.txt") for line in path.read_text().splitlines()]
    assert lines
    assert all(len(line.split()) % 2 for line in lines)


def test_crowds_and_annotations_without_masks_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert(layouts.annotations(tmp_path), "yolo", tmp_path / "out") == 0
    printed = capsys.readouterr()
    assert printed.out == f"3 masks (annotations), 80 vertices -> {tmp_path / 'out'}\n"
    assert printed.err.splitlines() == [
        "left out: 1 of 5 annotations, crowds (first: annotation id 1)",
        "left out: 1 of 5 annotations, without a mask (first: annotation id 99)",
    ]


@pytest.mark.parametrize(("target", "written"), [("yolo", 3), ("masks", 3), ("cityscapes", 4)])
def test_empty_masks_are_reported_where_the_format_cannot_hold_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str, written: int
) -> None:
    empty = encode_mask(BoxMask.empty(layouts.FRAME))
    assert convert(changed(tmp_path, segmentation=empty), target, tmp_path / "out") == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{written} masks (coco)")
    assert ("left out: 1 of 4 records, empty masks" in printed.err) == (written == 3)
    if target == "masks":
        numbers = [np.unique(read_labels(png)[0]).tolist() for png in sorted((tmp_path / "out").glob("*.png"))]
        assert all(found == list(range(len(found))) for found in numbers)


@pytest.mark.parametrize("target", TARGETS)
def test_an_invalid_image_id_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str) -> None:
    assert convert(changed(tmp_path, image_id=[1]), target, tmp_path / "out.json") == 1
    assert "record 1: image_id: expected a whole number or a string, got [1]" in capsys.readouterr().err


@pytest.mark.parametrize("height", [None, "tall"])
def test_an_invalid_size_counts_as_unknown(tmp_path: Path, capsys: pytest.CaptureFixture[str], height: object) -> None:
    source = layouts.annotations(tmp_path)
    document = json.loads(source.read_text())
    document["images"][0]["height"] = height
    source.write_text(json.dumps(document))
    assert convert(source, "yolo", tmp_path / "out") == 1
    assert "record id 0: polygons: expected the size of their image with them, got none; give --ann" in capsys.readouterr().err


def test_a_bad_mask_is_not_blamed_on_sizes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = changed(tmp_path, image_id=0, segmentation={"size": [90, 130], "counts": "?"})
    assert convert(source, "yolo", tmp_path / "out", "--ann", str(layouts.annotations(tmp_path))) == 1
    assert capsys.readouterr().err.endswith("correct it or leave the record out\n")


def test_a_yolo_line_without_its_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "images").mkdir()
    assert convert(layouts.yolo(tmp_path), "coco", tmp_path / "out.json", "--img-dir", str(tmp_path / "images")) == 1
    assert "give --img-dir with its image or leave the record out" in capsys.readouterr().err


def test_masks_of_one_image_have_one_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = encode_mask(BoxMask.from_frame(np.ones((9, 8), bool)))
    assert convert(changed(tmp_path, segmentation=other), "masks", tmp_path / "out") == 1
    assert "expected masks of one size, got 90x130 and 9x8" in capsys.readouterr().err


def test_images_of_one_name_do_not_share_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, ann = layouts.coco_results(tmp_path), tmp_path / "ann.json"
    names = dict(zip(layouts.STEMS, ("a.jpg", "a.png", "b.png"), strict=True))
    ann.write_text(json.dumps({"images": [{"id": stem, "file_name": name} for stem, name in names.items()]}))
    assert convert(source, "yolo", tmp_path / "out", "--ann", str(ann)) == 1
    assert "expected names that differ without their ending, got 'a' twice" in capsys.readouterr().err


def results_of(folder: Path, *image_ids: object) -> Path:
    mask = encode_mask(BoxMask.from_frame(layouts.disk(40, 40, 20)))
    records = [{"image_id": key, "category_id": 1, "score": 0.5, "segmentation": mask} for key in image_ids]
    (folder / "results.json").write_text(json.dumps(records))
    return folder / "results.json"


def lines_by_file(folder: Path) -> dict[str, int]:
    found = sorted(folder.rglob("*.txt"))
    return {path.relative_to(folder).as_posix(): len(path.read_text().splitlines()) for path in found}


def listed(folder: Path, **more: object) -> str:
    """Images 0 and 1, whose files are called by the next number."""
    entries = [{"id": key, "file_name": f"{key + 1}.png", "height": 90, "width": 130, **more} for key in (0, 1)]
    (folder / "ann.json").write_text(json.dumps({"images": entries}))
    return str(folder / "ann.json")


@pytest.mark.parametrize("image_id", [1, 1.0, "1", "2.png"])
def test_a_listed_image_gives_its_masks_its_name(tmp_path: Path, image_id: object) -> None:
    assert convert(results_of(tmp_path, image_id), "yolo", tmp_path / "out", "--ann", listed(tmp_path)) == 0
    assert lines_by_file(tmp_path / "out") == {"1.txt": 0, "2.txt": 1}
    assert convert(results_of(tmp_path, image_id), "coco", tmp_path / "out.json", "--ann", listed(tmp_path)) == 0
    assert [record["image_id"] for record in json.loads((tmp_path / "out.json").read_text())] == [1]


@pytest.mark.parametrize("target", ["yolo", "cityscapes", "masks", "panoptic"])
@pytest.mark.parametrize("image_id", ["2", 2, 7, "one"])
def test_an_unlisted_image_is_refused_where_names_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str, image_id: object
) -> None:
    assert convert(results_of(tmp_path, 0, image_id), target, tmp_path / "out.json", "--ann", listed(tmp_path)) == 1
    assert f"record 1: image_id: expected an image of the images list, got {image_id!r}" in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()


def test_folders_name_images_by_stems_whatever_the_list_says(tmp_path: Path) -> None:
    assert convert(results_of(tmp_path, "1", "x"), "masks", tmp_path / "masks") == 0
    assert convert(tmp_path / "masks", "coco", tmp_path / "out.json", "--format", "masks", "--ann", listed(tmp_path)) == 0
    assert [record["image_id"] for record in json.loads((tmp_path / "out.json").read_text())] == [0, "x"]
    assert convert(tmp_path / "masks", "yolo", tmp_path / "yolo", "--format", "masks", "--ann", listed(tmp_path)) == 0
    assert lines_by_file(tmp_path / "yolo") == {"1.txt": 1, "2.txt": 0, "x.txt": 1}


def test_a_file_name_as_an_id_loses_its_ending(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert(results_of(tmp_path, "p.jpg", "sub/q.PNG", "frame.0001"), "yolo", tmp_path / "out") == 0
    assert lines_by_file(tmp_path / "out") == {"p.txt": 1, "sub/q.txt": 1, "frame.0001.txt": 1}
    assert convert(results_of(tmp_path, "p.jpg", "p.png"), "yolo", tmp_path / "both") == 1
    assert "expected names that differ without their ending, got 'p' twice" in capsys.readouterr().err


def test_sizes_may_be_floats(tmp_path: Path) -> None:
    source = layouts.annotations(tmp_path)
    document = json.loads(source.read_text())
    assert convert(source, "yolo", tmp_path / "out") == 0
    for image in document["images"]:
        image |= {"height": 90.0, "width": 130.0}
    source.write_text(json.dumps(document))
    assert convert(source, "yolo", tmp_path / "floats") == 0
    for path in (tmp_path / "out").rglob("*.txt"):
        assert path.read_text() == (tmp_path / "floats" / path.relative_to(tmp_path / "out")).read_text()
