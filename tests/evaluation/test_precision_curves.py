"""AP as sums over images, and Boundary AP: against pycocotools, faster-coco-eval and hand-worked cases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bpr.evaluation.average_precision import average_precision
from bpr.evaluation.boundary_precision import match
from bpr.evaluation.case import PROTOCOLS, Case
from bpr.evaluation.fast_precision import fast_precision
from bpr.evaluation.inputs import check_annotations, check_detections
from bpr.evaluation.measured import interval
from bpr.evaluation.precision_curves import class_precision, precisions
from bpr.formats.coco import Record, read_annotations, read_results
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask
from tests.evaluation.test_average_precision import random_set
from tests.evaluation.test_matched_pairs import FRAME, document, found, square, truth


def case_of(records: list[Record], annotations: dict[str, Any], protocol: str = "coco", coarse: Case | None = None) -> Case:
    checked = check_annotations(annotations, "ann.json")
    return Case(check_detections(records, checked, "results.json"), checked, PROTOCOLS[protocol], coarse)


def values(measured: Any) -> list[float]:
    return [item.value for item in measured.values()]


FULL = encode_mask(BoxMask.from_frame(np.ones(FRAME, bool)))
DOT = square(20, 20, 1, 1)
DEGENERATE = {
    "no detections": ([], [truth(square(5, 5), area=100)]),
    "no truth": ([found(square(5, 5))], []),
    "all crowd": ([found(square(5, 5))], [truth(square(5, 5), area=100) | {"iscrowd": 1}]),
    "empty masks": ([found(square(0, 0, 0, 0))], [truth(square(0, 0, 0, 0), area=0)]),
    "one pixel": ([found(DOT), found(square(21, 20, 1, 1), 0.8)], [truth(DOT, area=1)]),
    "frame filling": ([found(FULL)], [truth(FULL, area=FRAME[0] * FRAME[1])]),
    "crowd beside": ([found(square(5, 5)), found(square(20, 5))], [truth(square(6, 5), area=100), truth(FULL, area=2400) | {"iscrowd": 1}]),
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_files_agree_with_both_references(name: str) -> None:
    pytest.importorskip("faster_coco_eval")
    records, annotations = DEGENERATE[name]
    case = case_of(records, document(*annotations))
    assert values(precisions(case.masks)) == pytest.approx(list(average_precision(case.records, case.document).values()))
    if records and annotations:  # the package needs both
        for kind, ours in (("segm", case.masks), ("boundary", case.boundaries)):
            theirs = fast_precision(case.records, case.document, kind, case.protocol.ratio)  # type: ignore[arg-type]
            assert values(precisions(ours)) == pytest.approx(list(theirs.values()))
    else:
        assert values(precisions(case.boundaries)) == values(precisions(case.masks))


@pytest.mark.parametrize("protocol", ["coco", "cityscapes"])
def test_random_squares_agree_with_both_references(protocol: str) -> None:
    pytest.importorskip("faster_coco_eval")
    annotations, records = random_set()
    case = case_of(records, annotations, protocol)
    assert values(precisions(case.masks)) == pytest.approx(list(average_precision(case.records, case.document).values()), abs=1e-12)
    theirs = fast_precision(case.records, case.document, "segm", case.protocol.ratio)
    assert values(precisions(case.masks)) == pytest.approx(list(theirs.values()), abs=1e-12)
    theirs = fast_precision(case.records, case.document, "boundary", case.protocol.ratio)
    assert values(precisions(case.boundaries)) == pytest.approx(list(theirs.values()), abs=1e-12)


@pytest.mark.parametrize("name", ["davis", "coco"])
def test_real_detections_agree_with_both_references(shared_data: Path, name: str) -> None:
    pytest.importorskip("faster_coco_eval")
    split = {"davis": "val", "coco": "val2017"}[name]
    annotations = read_annotations(shared_data / name / "annotations" / f"instances_{split}.json")
    annotations["images"] = annotations["images"][:40]
    ids = {image["id"] for image in annotations["images"]}
    records = [record for record in read_results(shared_data / "detections" / f"{name}_{split}.segm.json") if record["image_id"] in ids]
    case = case_of(records, annotations)
    assert values(precisions(case.masks)) == pytest.approx(list(average_precision(case.records, case.document).values()), abs=1e-12)
    theirs = fast_precision(case.records, case.document, "boundary", 0.02)
    assert values(precisions(case.boundaries)) == pytest.approx(list(theirs.values()), abs=1e-12)


def test_boundary_precision_by_hand() -> None:
    # Frame 40x60: d = round(.02 * 72.1) = 1. Squares of 10 px shifted by 1: mask IoU 90 / 110 = .82. Of the two rings of 36
    # px, rows 0 and 9 share 9 each; between them each column pair is 1 apart, and none is shared: 18 / 54 = .33, no match.
    case = case_of([found(square(6, 5))], document(truth(square(5, 5))))
    assert precisions(case.masks)["AP"].value == pytest.approx(0.7)
    assert precisions(case.boundaries)["AP"].value == 0


def test_a_crowd_is_matched_by_masks_alone() -> None:
    # The detection lies in the crowd, far from its boundary: ignored, so it costs the other detection nothing.
    crowd = truth(square(10, 10, 40, 25)) | {"iscrowd": 1}
    case = case_of([found(square(20, 15), 0.95), found(square(1, 1), 0.9)], document(truth(square(1, 1)), crowd))
    assert precisions(case.boundaries)["AP"].value == pytest.approx(1)


def test_of_equal_ious_the_last_wins_and_the_ignored_come_last() -> None:
    ious = np.array([[0.8, 0.8, 0.9]])
    assert match(ious, [False, False, True], [False] * 3, [0.5]).tolist() == [[1]]
    assert match(ious, [True, True, True], [False] * 3, [0.5]).tolist() == [[2]]


def test_images_drawn_twice_count_twice() -> None:
    annotations, records = random_set()
    twin = {"id": 3, "file_name": "3.png", "height": 200, "width": 200}
    again = [{**item, "image_id": 3} for item in annotations["annotations"] if item["image_id"] == 2]
    doubled = {**annotations, "images": [*annotations["images"], twin], "annotations": annotations["annotations"] + again}
    both = records + [{**record, "image_id": 3} for record in records if record["image_id"] == 2]
    drawn = precisions(case_of(records, annotations).masks)["AP"].under(np.array([[1.0, 2.0]]))
    assert drawn == pytest.approx([precisions(case_of(both, doubled).masks)["AP"].value], abs=1e-3)  # ties of score differ
    assert np.isnan(precisions(case_of(records, annotations).masks)["AP"].under(np.zeros((1, 2)))).all()


def test_class_precision_is_the_mean() -> None:
    annotations, records = random_set()
    case = case_of(records, annotations)
    assert np.mean(list(class_precision(case.masks).values())) == pytest.approx(precisions(case.masks)["AP"].value)


def test_an_interval_of_no_change_is_nothing() -> None:
    annotations, records = random_set()
    case = case_of(records, annotations)
    assert interval(precisions(case.masks)["AP"], precisions(case.masks)["AP"], 10) == (0, 0)
