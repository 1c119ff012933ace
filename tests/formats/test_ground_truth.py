import numpy as np
import pytest

from bpr.formats.ground_truth import GroundTruth, mask_iou
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask

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
    found = truth.matches([annotation(bar(20, 30), image_id=2), annotation(bar(0, 10)), annotation(bar(21, 30), image_id=2)])
    assert [iou for _, iou in found] == pytest.approx([1.0, 1.0, 0.9])


def test_iou_equals_that_of_full_frames() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.random((4, *FRAME)) < 0.4, rng.random((5, *FRAME)) < 0.6
    expected = [[(a & b).sum() / (a | b).sum() for b in second] for a in first]
    assert np.allclose(mask_iou([BoxMask.from_frame(m) for m in first], [BoxMask.from_frame(m) for m in second]), expected)


def test_iou_with_nothing_is_an_empty_table() -> None:
    assert mask_iou([], [bar(0, 1)]).shape == (0, 1)
    assert mask_iou([bar(0, 1)], []).shape == (1, 0)
