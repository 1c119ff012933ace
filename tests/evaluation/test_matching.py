"""Which detection belongs to which instance, by each of the rules."""

from __future__ import annotations

import numpy as np
import pytest

from bpr.evaluation.matching import GroundTruth, mask_iou, match_pairs
from bpr.evaluation.prepare import prepare_annotations
from bpr.formats.coco import Record
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask
from tests.evaluation.test_comparison import document as instances
from tests.evaluation.test_comparison import found, square, truth

FRAME = (40, 50)


def bar(left: int, right: int) -> BoxMask:
    mask = np.zeros(FRAME, bool)
    mask[10:20, left:right] = True
    return BoxMask.from_frame(mask)


def annotation(mask: BoxMask, **values: object) -> dict:
    return {"image_id": 1, "category_id": 1, "segmentation": encode_mask(mask), **values}


def document(*annotations: dict) -> dict:
    images = [{"id": n, "file_name": f"{n}.png", "height": FRAME[0], "width": FRAME[1]} for n in (1, 2)]
    return {"images": images, "annotations": list(annotations)}


def test_the_best_overlap_of_the_same_image_and_class_is_matched() -> None:
    others = annotation(bar(5, 15), category_id=2), annotation(bar(5, 15), image_id=2)
    truth = GroundTruth(document(annotation(bar(0, 10)), annotation(bar(4, 14)), *others))
    ((mask, iou),) = truth.matches([annotation(bar(5, 15))])
    assert mask is not None
    assert mask.equals(bar(4, 14))
    assert iou == pytest.approx(9 / 11)


def test_of_equal_overlaps_the_first_annotation_is_matched() -> None:
    truth = GroundTruth(document(annotation(bar(0, 10)), annotation(bar(10, 20))))
    ((mask, iou),) = truth.matches([annotation(bar(5, 15))])
    assert mask is not None
    assert mask.equals(bar(0, 10))
    assert iou == pytest.approx(1 / 3)


def test_crowds_are_never_matched() -> None:
    truth = GroundTruth(document(annotation(bar(0, 10), iscrowd=1)))
    assert truth.matches([annotation(bar(0, 10))]) == [(None, 0.0)]


def test_no_overlap_no_class_no_image_no_mask_give_nothing() -> None:
    truth = GroundTruth(document(annotation(bar(0, 10))))
    records = [
        annotation(bar(30, 40)),
        annotation(bar(0, 10), category_id=9),
        annotation(bar(0, 10), image_id=9),
        annotation(bar(0, 10), segmentation={"size": [1, 1], "counts": "0"}),
        {"image_id": 1, "segmentation": None},
    ]
    assert truth.matches(records) == [(None, 0.0)] * 5


def test_matches_come_in_the_order_of_the_records() -> None:
    truth = GroundTruth(document(annotation(bar(0, 10)), annotation(bar(20, 30), image_id=2)))
    found = truth.matches(
        [annotation(bar(20, 30), image_id=2), annotation(bar(0, 10)), annotation(bar(21, 30), image_id=2)]
    )
    assert [iou for _, iou in found] == pytest.approx([1.0, 1.0, 0.9])


def test_iou_equals_that_of_full_frames() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.random((4, *FRAME)) < 0.4, rng.random((5, *FRAME)) < 0.6
    expected = [[(a & b).sum() / (a | b).sum() for b in second] for a in first]
    assert np.allclose(
        mask_iou([BoxMask.from_frame(m) for m in first], [BoxMask.from_frame(m) for m in second]), expected
    )


def test_iou_with_nothing_is_an_empty_table() -> None:
    assert mask_iou([], [bar(0, 1)]).shape == (0, 1)
    assert mask_iou([bar(0, 1)], []).shape == (1, 0)


def paired_records(annotations: list[Record], records: list[Record]) -> list[int]:
    return [pair.record for pair in match_pairs(records, prepare_annotations(instances(*annotations), "ann.json"))]


def test_the_highest_iou_wins() -> None:
    # Shifted by 1: 90 / 110 = .82; by 2: 80 / 120 = .67; by 4: 60 / 140 = .43, no match.
    records = [found(square(7, 5), 0.99), found(square(6, 5), 0.10), found(square(9, 5), 1.0)]
    assert paired_records([truth(square(5, 5))], records) == [1]
    assert paired_records([truth(square(5, 5))], records[2:]) == []


def test_half_an_iou_is_enough_and_so_is_a_score_of_005() -> None:
    half = found(square(5, 5, width=5), 0.05)  # 50 / 100
    assert paired_records([truth(square(5, 5))], [half]) == [0]
    assert paired_records([truth(square(5, 5))], [{**half, "score": 0.0499}]) == []


def test_ties_go_to_the_score_then_to_the_earlier_record() -> None:
    instance = [truth(square(5, 5))]
    assert paired_records(instance, [found(square(6, 5), 0.5), found(square(4, 5), 0.7)]) == [1]
    assert paired_records(instance, [found(square(6, 5), 0.7), found(square(4, 5), 0.7)]) == [0]


def test_class_image_and_crowd_decide_who_may_match() -> None:
    records = [found(square(5, 5), category_id=2), found(square(5, 5), image_id=2)]
    assert paired_records([truth(square(5, 5))], records) == []
    assert paired_records([truth(square(5, 5), iscrowd=1)], [found(square(5, 5))]) == []
