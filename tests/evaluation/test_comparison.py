"""The matched pairs, their metrics before and after refinement, and files that do not fit together."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from bpr.errors import BPRError
from bpr.evaluation.comparison import Comparison, Evaluation, check_aligned, compare, shares
from bpr.evaluation.pair_metrics import PAIR_METRICS
from bpr.evaluation.prepare import Detections, prepare_annotations, prepare_detections
from bpr.evaluation.summary import evaluate
from bpr.formats.coco import Record, read_annotations, read_results
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask

FRAME = (40, 60)


def square(left: int, top: int, width: int = 10, height: int = 10) -> dict[str, Any]:
    mask = np.zeros(FRAME, bool)
    mask[top : top + height, left : left + width] = True
    return encode_mask(BoxMask.from_frame(mask))


def truth(segmentation: dict[str, Any], image_id: int = 1, category_id: int = 1, **more: Any) -> Record:
    return {"image_id": image_id, "category_id": category_id, "segmentation": segmentation, "iscrowd": 0, **more}


def found(segmentation: Any, score: float = 0.9, image_id: int = 1, category_id: int = 1) -> Record:
    return {"image_id": image_id, "category_id": category_id, "score": score, "segmentation": segmentation}


def document(*annotations: Record) -> dict[str, Any]:
    images = [{"id": n, "file_name": f"{n}.png", "height": FRAME[0], "width": FRAME[1]} for n in (1, 2)]
    numbered = [{"id": n, **annotation} for n, annotation in enumerate(annotations)]
    return {"images": images, "annotations": numbered, "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]}


def test_scores_by_hand() -> None:
    # Truth 10x10 at (5, 5), found one column to the right: IoU 90/110. d = max(1, round(.02 * 72.1)) = 1: bands of 36
    # pixels that share rows 5 and 14 in columns 6..14, 2 * 9 = 18 of 36 + 36 - 18 = 54. Boundaries lie 1 px apart:
    # F@2px = 1.
    instances = document(truth(square(5, 5)))
    records = [found(square(6, 5))]
    evaluation = Evaluation(check(records, instances), prepare_annotations(instances, "ann.json"))
    assert evaluation.scores(evaluation.pairs).tolist() == [[90 / 110, 18 / 54, 1.0]]
    assert [evaluation.column(metric).tolist() for metric in PAIR_METRICS] == [[90 / 110], [18 / 54], [1.0]]


def test_pairs_stay_those_of_the_coarse_file() -> None:
    annotations = prepare_annotations(document(truth(square(5, 5)), truth(square(30, 20), image_id=2)), "ann.json")
    coarse = check([found(square(6, 5)), found(square(31, 20), image_id=2)], annotations)
    refined = check([found(square(5, 5)), found(square(45, 20), image_id=2)], annotations)  # the second one got lost
    before = Evaluation(coarse, annotations)
    summary = evaluate({Evaluation: Evaluation(refined, annotations, coarse=before)}, {Evaluation: before})
    row = summary.rows["IoU/matched"]
    assert (summary.pairs, summary.images_with_pairs) == (2, 2)
    assert row.value == pytest.approx(0.5)
    assert row.before == pytest.approx(90 / 110)
    # Drawing two images of two: the mean change is that of either alone (each 1/4) or of both.
    assert row.interval == pytest.approx((-90 / 110, 1 - 90 / 110))
    assert summary.shares is not None
    assert (
        summary.shares.improved,
        summary.shares.unchanged,
        summary.shares.harmed,
        summary.shares.harmed_clearly,
    ) == (0.5, 0, 0.5, 0.5)


def test_shares_meet_their_thresholds() -> None:
    counted = shares(np.array([0.0011, 0.001, 0, -0.001, -0.0011, -0.01, -0.011, 0.5]))
    assert (counted.improved, counted.unchanged, counted.harmed, counted.harmed_clearly) == (2 / 8, 3 / 8, 3 / 8, 1 / 8)


def test_a_comparison_needs_no_order_among_images() -> None:
    images = [{"id": key, "file_name": f"{key}.png", "height": FRAME[0], "width": FRAME[1]} for key in (9, "a")]
    annotations = {
        **document(truth(square(5, 5)) | {"image_id": 9}, truth(square(5, 5)) | {"image_id": "a"}),
        "images": images,
    }
    before = [found(square(6, 5)) | {"image_id": key} for key in (9, "a")]
    after = [found(square(5, 5)) | {"image_id": key} for key in (9, "a")]
    comparison = compared(before, after, annotations)
    assert comparison.changes["iou"].mean == pytest.approx(20 / 110)
    assert comparison.changes["boundary_f"].mean == 0


def check(records: list[Record], annotations: dict[str, Any]) -> Detections:
    return prepare_detections(records, annotations, "results.json")


def compared(before: list[Record], after: list[Record], annotations: dict[str, Any]) -> Comparison:
    return compare(check(before, annotations), check(after, annotations), prepare_annotations(annotations, "ann.json"))


def test_a_row_names_the_record_and_its_scores() -> None:
    annotations = document(truth(square(5, 5), id=70), truth(square(30, 20), category_id=2, id=71))
    coarse = [found(square(0, 25), 0.9), found(square(31, 20), 0.5, category_id=2), found(square(6, 5), 0.75)]
    rows = compared(coarse, [*coarse[:2], found(square(5, 5), 0.75)], annotations).rows
    assert [(row.record, row.annotation_id, row.category, row.score, row.size) for row in rows] == [
        (2, 70, "a", 0.75, "small"),
        (1, 71, "b", 0.5, "small"),
    ]
    # Shifted by one: 90 of 110 pixels.
    assert (rows[0].before["iou"], rows[0].after["iou"], rows[0].after["boundary_f"]) == (pytest.approx(90 / 110), 1, 1)
    assert rows[0].gain == pytest.approx(20 / 110)
    assert rows[1].gain == 0
    assert rows[0].to_dict()["iou_after"] == 1


def test_files_that_do_not_belong_together() -> None:
    records = [found(square(5, 5)), found(square(5, 5), image_id=2)]
    before = Detections(records, "coarse.json")
    with pytest.raises(BPRError, match=r"refined.json: expected the 2 records of coarse.json, got 1"):
        check_aligned(before, Detections(records[:1], "refined.json"))
    with pytest.raises(BPRError, match=r"record 0: expected image_id 1 of coarse.json, got 2"):
        check_aligned(before, Detections(records[::-1], "refined.json"))
    other_class = [records[0], {**records[1], "category_id": 2}]
    with pytest.raises(BPRError, match=r"record 1: expected category_id 1 of coarse.json, got 2"):
        check_aligned(before, Detections(other_class, "refined.json"))


def test_an_unreadable_mask_counts_as_empty() -> None:
    annotations = document(truth(square(5, 5)))
    broken = [
        found({"size": list(FRAME), "counts": "x"}),
        found("no mask"),
        found(encode_mask(BoxMask.from_frame(np.ones((3, 3))))),
    ]
    detections = check([found(square(5, 5)), *broken], annotations)
    assert (len(detections.records), detections.unreadable) == (4, 3)
    assert [record["area"] for record in detections.records] == [100, 0, 0, 0]


def test_unreadable_masks_are_named_up_to_the_third() -> None:
    broken = {"size": list(FRAME), "counts": "x"}
    records = [found(square(5, 5)), *(found(broken) for _ in range(5))]
    (problem,) = check(records, document(truth(square(5, 5)))).problems
    assert problem.startswith("5 unreadable masks count as empty (record 1: RLE counts: expected")
    assert "record 3: " in problem
    assert "record 4: " not in problem
    assert problem.endswith("; ...)")


def test_detections_elsewhere_are_left_out() -> None:
    annotations = prepare_annotations(document(truth(square(5, 5))), "ann.json")
    elsewhere = found({"size": [7, 7], "counts": "x"}, image_id=77)
    summary = evaluate({Evaluation: Evaluation(check([elsewhere, found(square(5, 5))], annotations), annotations)})
    assert summary.pairs == 1
    assert summary.rows["AP/COCO"].value == pytest.approx(1)
    with pytest.raises(BPRError, match="got none"):
        check([elsewhere], annotations)


@pytest.mark.parametrize("key", ["category_id", "score"])
def test_records_need_class_and_score(key: str) -> None:
    record = found(square(5, 5))
    del record[key]
    with pytest.raises(BPRError, match=f"record 0: expected .*got no {key}"):
        check([record], document())


BAD_VALUES = [
    ("score", "high"),
    ("score", float("nan")),
    ("score", None),
    ("score", 10**400),
    ("image_id", [1]),
    ("category_id", None),
]


@pytest.mark.parametrize(("key", "value"), BAD_VALUES)
def test_records_need_sound_values(key: str, value: Any) -> None:
    with pytest.raises(BPRError, match=f"record 0: {key}: expected"):
        check([{**found(square(5, 5)), key: value}], document())


def test_annotations_need_class_and_size() -> None:
    annotations = document(truth(square(5, 5)))
    no_class, no_size = copy.deepcopy(annotations), copy.deepcopy(annotations)
    del no_class["annotations"][0]["category_id"]
    no_size["images"][0].update(height=-1, width=None)
    with pytest.raises(BPRError, match=r"ann.json: annotation id 0: expected .*got no category_id"):
        prepare_annotations(no_class, "ann.json")
    assert prepare_annotations(no_size, "ann.json")["images"][0]["height"] == FRAME[0], "as the mask says"
    no_size["annotations"][0]["segmentation"] = [[5, 5, 15, 5, 15, 15]]
    with pytest.raises(BPRError, match=r"annotation id 0: polygons: expected the size .* give the size of image 1 in the images list"):
        prepare_annotations(no_size, "ann.json")


def test_golden_numbers_on_davis(shared_data: Any) -> None:
    """YOLOv8n-seg on DAVIS val.

    Pairs and IoU: the data's README; F: this code with OpenCV 5.0, by XOR boundary and Euclidean disk.
    """
    annotations = prepare_annotations(
        read_annotations(shared_data / "davis/annotations/instances_val.json"), "ann.json"
    )
    evaluation = Evaluation(
        check(read_results(shared_data / "detections/davis_val.segm.json"), annotations), annotations
    )
    iou, _, boundary_f = evaluation.scores(evaluation.pairs).mean(axis=0)
    assert len(evaluation.pairs) == 61
    assert iou == pytest.approx(0.838, abs=5e-4)
    assert boundary_f == pytest.approx(0.4995, abs=5e-5)
