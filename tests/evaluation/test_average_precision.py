"""AP and Boundary AP: hand-worked cases, two reference packages, and files that would crash them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from bpr.evaluation.average_precision import NAMES, average_precisions, fast_precision
from bpr.evaluation.bootstrap import interval
from bpr.evaluation.comparison import PROTOCOLS, Evaluation
from bpr.evaluation.matching import match_by_masks, silently
from bpr.evaluation.prepare import prepare_annotations, prepare_detections
from bpr.formats.coco import Record, read_annotations, read_results
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask
from tests.evaluation.test_comparison import FRAME, document, found, square, truth


def average_precision(records: list[Record], annotations: dict[str, Any]) -> dict[str, float]:
    """The numbers of a file, which must be those that pycocotools accumulates."""
    evaluation = evaluation_of(records, annotations)
    ours = {name: number.value for name, number in evaluation.average_precisions.items()}
    assert ours == pytest.approx(accumulated(evaluation), abs=1e-12)
    return ours


def accumulated(evaluation: Evaluation) -> dict[str, float]:
    """AP as pycocotools accumulates it from its own matching."""
    reference = silently(match_by_masks(evaluation.records, evaluation.document), "accumulate", "summarize")
    return dict(zip(NAMES, reference.stats.tolist(), strict=False))


def evaluation_of(
    records: list[Record], annotations: dict[str, Any], protocol: str = "coco", coarse: Evaluation | None = None
) -> Evaluation:
    prepared = prepare_annotations(annotations, "ann.json")
    return Evaluation(prepare_detections(records, prepared, "results.json"), prepared, PROTOCOLS[protocol], coarse)


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
    "crowd beside": (
        [found(square(5, 5)), found(square(20, 5))],
        [truth(square(6, 5), area=100), truth(FULL, area=2400) | {"iscrowd": 1}],
    ),
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_files_agree_with_both_references(name: str) -> None:
    pytest.importorskip("faster_coco_eval")
    records, annotations = DEGENERATE[name]
    evaluation = evaluation_of(records, document(*annotations))
    assert values(evaluation.average_precisions) == pytest.approx(list(accumulated(evaluation).values()))
    if records and annotations:  # the package needs both
        for kind, ours in (("segm", evaluation.mask_matching), ("boundary", evaluation.boundary_matching)):
            theirs = fast_precision(evaluation.records, evaluation.document, kind, evaluation.protocol.ratio)  # type: ignore[arg-type]
            assert values(average_precisions(ours)) == pytest.approx(list(theirs.values()))
    else:
        assert values(average_precisions(evaluation.boundary_matching)) == values(evaluation.average_precisions)


@pytest.mark.parametrize("protocol", ["coco", "cityscapes"])
def test_random_squares_agree_with_both_references(protocol: str) -> None:
    pytest.importorskip("faster_coco_eval")
    annotations, records = random_set()
    evaluation = evaluation_of(records, annotations, protocol)
    assert values(evaluation.average_precisions) == pytest.approx(list(accumulated(evaluation).values()), abs=1e-12)
    theirs = fast_precision(evaluation.records, evaluation.document, "segm", evaluation.protocol.ratio)
    assert values(evaluation.average_precisions) == pytest.approx(list(theirs.values()), abs=1e-12)
    theirs = fast_precision(evaluation.records, evaluation.document, "boundary", evaluation.protocol.ratio)
    assert values(average_precisions(evaluation.boundary_matching)) == pytest.approx(list(theirs.values()), abs=1e-12)


@pytest.mark.parametrize("name", ["davis", "coco"])
def test_real_detections_agree_with_both_references(shared_data: Path, name: str) -> None:
    pytest.importorskip("faster_coco_eval")
    split = {"davis": "val", "coco": "val2017"}[name]
    annotations = read_annotations(shared_data / name / "annotations" / f"instances_{split}.json")
    annotations["images"] = annotations["images"][:40]
    ids = {image["id"] for image in annotations["images"]}
    records = [
        record
        for record in read_results(shared_data / "detections" / f"{name}_{split}.segm.json")
        if record["image_id"] in ids
    ]
    evaluation = evaluation_of(records, annotations)
    assert values(evaluation.average_precisions) == pytest.approx(list(accumulated(evaluation).values()), abs=1e-12)
    theirs = fast_precision(evaluation.records, evaluation.document, "boundary", 0.02)
    assert values(average_precisions(evaluation.boundary_matching)) == pytest.approx(list(theirs.values()), abs=1e-12)


def test_boundary_precision_by_hand() -> None:
    # Frame 40x60: d = round(.02 * 72.1) = 1. Squares of 10 px shifted by 1: mask IoU 90 / 110 = .82. Of the two rings
    # of 36 px, rows 0 and 9 share 9 each; between them each column pair is 1 apart, and none is shared: 18 / 54 = .33,
    # no match.
    evaluation = evaluation_of([found(square(6, 5))], document(truth(square(5, 5))))
    assert evaluation.average_precisions["AP"].value == pytest.approx(0.7)
    assert average_precisions(evaluation.boundary_matching)["AP"].value == 0


def test_a_crowd_is_matched_by_masks_alone() -> None:
    # The detection lies in the crowd, far from its boundary: ignored, so it costs the other detection nothing.
    crowd = truth(square(10, 10, 40, 25)) | {"iscrowd": 1}
    evaluation = evaluation_of(
        [found(square(20, 15), 0.95), found(square(1, 1), 0.9)], document(truth(square(1, 1)), crowd)
    )
    assert average_precisions(evaluation.boundary_matching)["AP"].value == pytest.approx(1)


def test_images_drawn_twice_count_twice() -> None:
    annotations, records = random_set()
    twin = {"id": 3, "file_name": "3.png", "height": 200, "width": 200}
    again = [{**item, "image_id": 3} for item in annotations["annotations"] if item["image_id"] == 2]
    doubled = {
        **annotations,
        "images": [*annotations["images"], twin],
        "annotations": annotations["annotations"] + again,
    }
    both = records + [{**record, "image_id": 3} for record in records if record["image_id"] == 2]
    drawn = evaluation_of(records, annotations).average_precisions["AP"].under(np.array([[1.0, 2.0]]))
    assert drawn == pytest.approx(
        [evaluation_of(both, doubled).average_precisions["AP"].value], abs=1e-3
    )  # ties of score differ
    assert np.isnan(evaluation_of(records, annotations).average_precisions["AP"].under(np.zeros((1, 2)))).all()


def test_ap_is_the_mean_of_the_classes() -> None:
    annotations, records = random_set()
    evaluation = evaluation_of(records, annotations)
    assert np.mean(list(evaluation.class_average_precisions.values())) == pytest.approx(evaluation.average_precisions["AP"].value)


def test_the_interval_of_no_change_is_zero() -> None:
    annotations, records = random_set()
    evaluation = evaluation_of(records, annotations)
    assert interval(evaluation.average_precisions["AP"], evaluation.average_precisions["AP"]) == (0, 0)


def test_by_hand() -> None:
    # IoU 90 / 110 = .818: found at .50 .. .80, seven of ten thresholds. 100 px is a small instance; there is no other.
    measured = average_precision([found(square(6, 5))], ONE)
    assert measured == pytest.approx({"AP": 0.7, "AP50": 1, "AP75": 1, "AP_S": 0.7, "AP_M": -1, "AP_L": -1})


def test_no_detections_and_no_truth() -> None:
    assert average_precision([], ONE) == {"AP": 0, "AP50": 0, "AP75": 0, "AP_S": 0, "AP_M": -1, "AP_L": -1}
    assert set(average_precision([], document()).values()) == {-1.0}
    assert set(average_precision([found(square(6, 5))], document()).values()) == {-1.0}


def test_images_without_a_detection_count() -> None:
    both = document(truth(square(5, 5)), truth(square(5, 5), image_id=2))
    # Recall ends at one of two: 51 of the 101 recall points (0 .. .50) have precision 1.
    assert average_precision([found(square(5, 5))], both)["AP"] == pytest.approx(51 / 101)


def test_the_mask_decides_the_size_and_not_the_box() -> None:
    # A false positive of 100 px in a large box is a small one, whatever its "bbox" says.
    thin = {**found(square(20, 20), 0.95), "bbox": [0, 0, 60, 40]}
    assert average_precision([found(square(5, 5)), thin], ONE)["AP_S"] == pytest.approx(0.5)


def test_agrees_with_pycocotools_on_its_own_path(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    annotations, records = random_set()
    before = copy.deepcopy(annotations)
    measured = average_precision(records, annotations)
    assert annotations == before
    assert capsys.readouterr().out == ""
    path = tmp_path / "ann.json"
    path.write_text(
        json.dumps({**annotations, "annotations": [{**a, "id": a["id"] + 1} for a in annotations["annotations"]]})
    )
    coco = COCO(str(path))
    evaluation = COCOeval(coco, coco.loadRes(copy.deepcopy(records)), "segm")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert list(measured.values()) == pytest.approx(evaluation.stats[:6].tolist(), abs=1e-12)


def test_annotations_may_lack_optional_keys() -> None:
    """No area, no iscrowd, no categories, an id of 0."""
    spare = {
        "images": ONE["images"],
        "annotations": [{"id": 0, "image_id": 1, "category_id": 5, "segmentation": square(5, 5)}],
    }
    assert average_precision([found(square(5, 5), category_id=5)], spare)["AP"] == pytest.approx(1)


ONE = document(truth(square(5, 5)))


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
