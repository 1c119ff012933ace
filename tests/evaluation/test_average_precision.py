"""COCO mask AP: hand-worked cases, pycocotools' own path, and files that would crash it."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from bpr.errors import BPRError
from bpr.evaluation.average_precision import average_precision
from bpr.evaluation.inputs import check_detections
from bpr.formats.coco import Record
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask
from tests.evaluation.test_matched_pairs import document, found, square, truth


def test_by_hand() -> None:
    # IoU 90 / 110 = .818: found at .50 .. .80, seven of ten thresholds. 100 px is a small instance; there is no other.
    measured = average_precision(checked([found(square(6, 5))]), ONE)
    assert measured == pytest.approx({"AP": 0.7, "AP50": 1, "AP75": 1, "AP_S": 0.7, "AP_M": -1, "AP_L": -1})


def test_no_detections_and_no_truth() -> None:
    assert average_precision([], ONE) == {"AP": 0, "AP50": 0, "AP75": 0, "AP_S": 0, "AP_M": -1, "AP_L": -1}
    assert set(average_precision([], document()).values()) == {-1.0}
    assert set(average_precision(checked([found(square(6, 5))], document()), document()).values()) == {-1.0}


def test_images_without_a_detection_count() -> None:
    both = document(truth(square(5, 5)), truth(square(5, 5), image_id=2))
    # Recall ends at one of two: 51 of the 101 recall points (0 .. .50) have precision 1.
    assert average_precision(checked([found(square(5, 5))], both), both)["AP"] == pytest.approx(51 / 101)


def test_the_mask_decides_the_size_and_not_the_box() -> None:
    # A false positive of 100 px in a large box is a small one, whatever its "bbox" says.
    thin = {**found(square(20, 20), 0.95), "bbox": [0, 0, 60, 40]}
    assert average_precision(checked([found(square(5, 5)), thin]), ONE)["AP_S"] == pytest.approx(0.5)


def test_agrees_with_pycocotools_on_its_own_path(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    annotations, records = random_set()
    before = copy.deepcopy(annotations)
    measured = average_precision(checked(records, annotations), annotations)
    assert annotations == before
    assert capsys.readouterr().out == ""
    path = tmp_path / "ann.json"
    path.write_text(json.dumps({**annotations, "annotations": [{**a, "id": a["id"] + 1} for a in annotations["annotations"]]}))
    coco = COCO(str(path))
    evaluation = COCOeval(coco, coco.loadRes(copy.deepcopy(records)), "segm")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert list(measured.values()) == evaluation.stats[:6].tolist()


def test_annotations_may_be_spare() -> None:
    """No area, no iscrowd, no categories, an id of 0."""
    spare = {"images": ONE["images"], "annotations": [{"id": 0, "image_id": 1, "category_id": 5, "segmentation": square(5, 5)}]}
    assert average_precision(checked([found(square(5, 5), category_id=5)], spare), spare)["AP"] == pytest.approx(1)


def test_records_without_a_class() -> None:
    record = found(square(5, 5))
    del record["category_id"]
    with pytest.raises(BPRError, match="record 0: expected a category_id"):
        average_precision([record], ONE)


ONE = document(truth(square(5, 5)))


def checked(records: list[Record], annotations: dict[str, Any] = ONE) -> list[Record]:
    return check_detections(records, annotations, "results.json").records


def random_set() -> tuple[dict[str, Any], list[Record]]:
    """Squares of all sizes on two 200x200 images, detections around them, crowds and misses among them."""
    random = np.random.default_rng(3)
    annotations, records = [], []
    for number in range(40):
        image_id, category_id, side = 1 + number % 2, 1 + number % 3, int(random.integers(5, 130))
        left, top = random.integers(0, 200 - side, 2)
        keys = {"image_id": image_id, "category_id": category_id}
        for shift in random.integers(0, 6, number % 4):
            records.append({**keys, "score": float(random.random()), "segmentation": rle(left + shift, top, side)})
        area = {"area": side * side, "bbox": [0, 0, 1, 1], "iscrowd": int(number % 13 == 0), "id": number}
        annotations.append({**keys, **area, "segmentation": rle(left, top, side)})
    images = [{"id": n, "file_name": f"{n}.png", "height": 200, "width": 200} for n in (1, 2)]
    return {"images": images, "annotations": annotations, "categories": [{"id": n} for n in (1, 2, 3)]}, records


def rle(left: int, top: int, side: int) -> dict[str, Any]:
    mask = np.zeros((200, 200), bool)
    mask[top : top + side, left : left + side] = True
    return encode_mask(BoxMask.from_frame(mask))
