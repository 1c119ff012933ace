"""``bpr eval`` from the command line to the file it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bpr.cli.main import main
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask
from tests.conftest import SmallSet


def refined(small_set: SmallSet) -> Path:
    """Results whose masks are the truth."""
    masks = [annotation["segmentation"] for annotation in small_set.document["annotations"]]
    records = [{**record, "segmentation": mask} for record, mask in zip(small_set.records, masks, strict=True)]
    return small_set.write("refined.json", records)


def test_before_and_after(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    out = small_set.folder / "deep" / "summary.json"
    arguments = [str(refined(small_set)), "--ann", str(small_set.ann), "--before", str(small_set.results), "--out", str(out)]
    assert main(["eval", *arguments]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    for name in ("AP/COCO", "IoU/matched", "BoundaryIoU@0.02/matched", "F@2px/matched", "4 matched pairs in 2 images", "improved 100.0 %"):
        assert name in printed.out
    written = json.loads(out.read_text())
    assert written["rows"]["F@2px/matched"]["value"] == 1
    assert written["rows"]["IoU/matched"]["change"] == pytest.approx(1 - written["rows"]["IoU/matched"]["before"])
    assert written["files"] == {"results": "refined.json", "before": "results.json", "annotations": "instances.json"}
    assert written["versions"]["numpy"] == np.__version__
    assert str(small_set.folder) not in out.read_text()


def test_one_file_alone(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(small_set.results), "--ann", str(small_set.ann)]) == 0
    printed = capsys.readouterr().out
    assert "value" in printed
    assert "before" not in printed
    assert "improved" not in printed


def test_no_detections(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    empty = small_set.write("empty.json", [])
    assert main(["eval", str(empty), "--ann", str(small_set.ann), "--before", str(empty)]) == 0
    printed = capsys.readouterr().out
    assert "AP/COCO" in printed
    assert any(line.split() == ["IoU/matched", "-", "-", "-"] for line in printed.splitlines())
    assert "0 matched pairs" in printed


def test_unreadable_masks_are_counted(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    broken = small_set.write("broken.json", [{**record, "segmentation": {"size": [1, 1], "counts": "0"}} for record in small_set.records])
    assert main(["eval", str(broken), "--ann", str(small_set.ann)]) == 0
    assert "results: 4 unreadable masks count as empty (record 0: mask size: expected" in capsys.readouterr().out


def test_what_lies_in_no_listed_image_is_named(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    def moved(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**items[0], "image_id": 424242}, *items[1:]]

    document = {**small_set.document, "annotations": moved(small_set.document["annotations"])}
    results, ann = small_set.write("moved.json", moved(small_set.records)), small_set.write("moved_ann.json", document)
    out, page = small_set.folder / "summary.json", small_set.folder / "summary.md"
    assert main(["eval", str(results), "--ann", str(ann), "--out", str(out), "--markdown", str(page)]) == 0
    said = {
        "annotations": "1 annotation of images that the annotation file does not list (first: annotation id 1, image_id 424242)",
        "results": "1 record of images that the annotation file does not list (first: record 0, image_id 424242)",
    }
    printed, written = capsys.readouterr().out, json.loads(out.read_text())
    for role, line in said.items():
        assert f"{role}: {line}" in printed
        assert f"{role}: {line}" in page.read_text()
        assert [problem.startswith(line) for problem in written["problems"][role]] == [True]


@pytest.mark.parametrize(
    ("key", "value"), [("iscrowd", "x"), ("area", "large"), ("image_id", [1]), ("category_id", {})]
)
def test_annotations_with_values_that_are_none(
    small_set: SmallSet, capsys: pytest.CaptureFixture[str], key: str, value: object
) -> None:
    first, *others = small_set.document["annotations"]
    ann = small_set.write("odd.json", {**small_set.document, "annotations": [{**first, key: value}, *others]})
    assert main(["eval", str(small_set.results), "--ann", str(ann)]) == 1
    error = capsys.readouterr().err
    assert f"annotation id 1: {key}: expected" in error
    assert len(error.splitlines()) == 1


def test_annotations_may_leave_area_and_iscrowd_open(small_set: SmallSet) -> None:
    for annotation in small_set.document["annotations"]:
        annotation["area"] = annotation["iscrowd"] = None
    ann = small_set.write("open.json", small_set.document)
    assert main(["eval", str(small_set.results), "--ann", str(ann)]) == 0


def test_bad_inputs_end_in_one_line(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    ann, results = str(small_set.ann), str(small_set.results)
    without_class = [{key: value for key, value in record.items() if key != "category_id"} for record in small_set.records]
    lost = [{**record, "image_id": 99} for record in small_set.records]
    cases = {
        "no such file": [str(small_set.folder / "nothing.json"), "--ann", ann],
        "got no category_id": [str(small_set.write("classless.json", without_class)), "--ann", ann],
        "expected image_ids of the annotation file": [str(small_set.write("lost.json", lost)), "--ann", ann],
        "expected the 4 records": [str(small_set.write("short.json", small_set.records[:2])), "--ann", ann, "--before", results],
        "cannot write there": [results, "--ann", ann, "--out", f"{results}/summary.json"],
    }
    for message, arguments in cases.items():
        assert main(["eval", *arguments]) == 1
        printed = capsys.readouterr().err
        assert message in printed
        assert printed.count("\n") == 1


def test_usage_is_exit_code_two(small_set: SmallSet) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["eval", str(small_set.results)])
    assert stopped.value.code == 2


def test_a_mask_on_the_whole_image(small_set: SmallSet) -> None:
    full = encode_mask(BoxMask.from_frame(np.ones((120, 160), bool)))
    path = small_set.write("full.json", [{**record, "segmentation": full} for record in small_set.records])
    assert main(["eval", str(path), "--ann", str(small_set.ann), "--before", str(small_set.results)]) == 0


def test_annotation_files_are_results_without_scores(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    """A data set before and after cleaning, measured on another annotation of it."""
    coarse = [record["segmentation"] for record in small_set.records]
    extra = {"id": 9, "image_id": 1, "category_id": 7, "iscrowd": 1, "segmentation": coarse[0]}
    annotations = [{**a, "segmentation": mask} for a, mask in zip(small_set.document["annotations"], coarse, strict=True)]
    before = small_set.write("before.json", {**small_set.document, "annotations": [*annotations, extra]})
    out = small_set.folder / "summary.json"
    for after, change in ((small_set.ann, True), (before, False), (refined(small_set), True)):
        assert main(["eval", str(after), "--ann", str(small_set.ann), "--before", str(before), "--out", str(out)]) == 0
        rows = json.loads(out.read_text())["rows"]
        assert (rows["IoU/matched"]["value"] == 1) == change
        assert rows["IoU/matched"]["before"] < 1
        assert "before: left out: 1 of 5 annotations, crowds (first: annotation id 9)" in capsys.readouterr().out


def test_neither_results_nor_annotations(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = "expected a COCO annotation file with an images list, got none"
    for value, error in (({"info": 1}, wanted), (7, wanted), ([[1]], "record 0: expected an object")):
        assert main(["eval", str(small_set.write("odd.json", value)), "--ann", str(small_set.ann)]) == 1
        assert error in capsys.readouterr().err
