"""Results of other libraries come back refined, as what they were: by hand-written structures, and with each library that is here."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bpr.geometry.masks import BoxMask
from bpr.geometry.options import RefineOptions
from bpr.geometry.rle import decode_mask
from bpr.io.png import write_png
from bpr.refinement.predictor import IdentityPredictor, OraclePredictor
from bpr.refinement.refiner import Refiner
from tests.refinement import neighbours
from tests.refinement.neighbours import COARSE, COARSE_BOXES, FRAME, IMAGE, TRUE_BOXES, TRUTH


@pytest.fixture(scope="module")
def refiner() -> Refiner:
    return Refiner(OraclePredictor({index: BoxMask.from_frame(mask) for index, mask in enumerate(TRUTH)}))


def tensors(*arrays: np.ndarray) -> list[Any]:
    torch = pytest.importorskip("torch")
    return [torch.from_numpy(array.copy()) for array in arrays]


# detectron2


def check_instances(refiner: Refiner, instances: type, boxes: type) -> None:
    masks, corners, scores = tensors(COARSE, COARSE_BOXES, np.array([0.9, 0.8]))
    given = instances(FRAME, pred_masks=masks, pred_boxes=boxes(corners), scores=scores)
    refined = refiner(IMAGE, given)
    assert type(refined) is instances
    assert refined.image_size == FRAME
    assert np.array_equal(refined.pred_masks.numpy(), TRUTH)
    assert refined.pred_masks.dtype == masks.dtype
    assert refined.pred_boxes.tensor.tolist() == TRUE_BOXES
    assert refined.scores is scores
    assert np.array_equal(given.pred_masks.numpy(), COARSE), "what came in must stay as it was"
    assert refiner(IMAGE, given, return_probability=True).probability.shape == masks.shape


def test_instances_by_their_fields(refiner: Refiner) -> None:
    check_instances(refiner, neighbours.Instances, neighbours.Boxes)


def test_instances_of_detectron2(refiner: Refiner) -> None:
    structures = pytest.importorskip("detectron2.structures")
    check_instances(refiner, structures.Instances, structures.Boxes)


def test_instances_without_masks_are_refused(refiner: Refiner) -> None:
    with pytest.raises(ValueError, match="Instances: expected pred_masks, got none"):
        refiner(IMAGE, neighbours.Instances(FRAME, scores=np.zeros(1)))


# Ultralytics


def check_results(refiner: Refiner, kind: type, masks: np.ndarray) -> None:
    rows = np.hstack([COARSE_BOXES, [[0.9, 3], [0.8, 4]]]).astype(np.float32)
    data, boxes = tensors(masks, rows)
    given = kind(IMAGE[..., ::-1].copy(), "a.jpg", {3: "car"}, boxes=boxes, masks=data)
    refined = refiner(given.orig_img[..., ::-1], given)
    assert type(refined) is kind
    assert np.array_equal(refined.masks.data.numpy(), TRUTH)
    assert refined.masks.data.dtype == data.dtype
    assert refined.boxes.data.numpy()[:, :4].tolist() == TRUE_BOXES
    assert np.array_equal(refined.boxes.data.numpy()[:, 4:], rows[:, 4:])
    assert (refined.path, refined.names) == ("a.jpg", {3: "car"})
    assert given.masks.data.shape == masks.shape
    assert given.boxes.data.numpy()[:, :4].tolist() == COARSE_BOXES.tolist(), "what came in must stay as it was"


@pytest.mark.parametrize("masks", [COARSE.astype(np.uint8), neighbours.letterboxed(COARSE).astype(np.float32)], ids=["retina", "network"])
def test_results_by_their_fields(refiner: Refiner, masks: np.ndarray) -> None:
    check_results(refiner, neighbours.Results, masks)


@pytest.mark.parametrize("masks", [COARSE.astype(np.uint8), neighbours.letterboxed(COARSE).astype(np.float32)], ids=["retina", "network"])
def test_results_of_ultralytics(refiner: Refiner, masks: np.ndarray) -> None:
    results = pytest.importorskip("ultralytics.engine.results", exc_type=ImportError)
    check_results(refiner, results.Results, masks)


def test_results_that_found_nothing_and_boxes_alone(refiner: Refiner) -> None:
    nothing = neighbours.Results(IMAGE, "a.jpg", {})
    assert refiner(IMAGE, nothing) is nothing
    with pytest.raises(ValueError, match="Results: expected masks, got none; use a -seg model"):
        refiner(IMAGE, neighbours.Results(IMAGE, "a.jpg", {}, boxes=COARSE_BOXES))


def test_results_of_another_image_are_refused(refiner: Refiner) -> None:
    other = neighbours.Results(IMAGE[:45, :60], "a.jpg", {}, boxes=COARSE_BOXES, masks=COARSE[:, :45, :60].astype(np.uint8))
    with pytest.raises(ValueError, match="sizes that differ, 90x120 and 45x60; pass the image that was predicted"):
        refiner(IMAGE, other)


# Hugging Face


@pytest.mark.parametrize(("first", "void"), [(0, -1), (1, 0)], ids=["instances", "panoptic"])
def test_maps_of_segments(refiner: Refiner, first: int, void: int) -> None:
    (segmentation,) = tensors(neighbours.segment_map(COARSE, first, void))
    given = {"segmentation": segmentation, "segments_info": neighbours.segments_info(first)}
    refined = refiner(IMAGE, given)
    assert np.array_equal(refined["segmentation"].numpy(), neighbours.segment_map(TRUTH, first, void))
    assert refined["segmentation"].dtype == segmentation.dtype
    assert refined["segments_info"] is given["segments_info"]
    assert refiner(IMAGE, given, return_probability=True).probability.shape == (2, *FRAME)


def test_segments_of_a_map_stay_apart() -> None:
    """Both are told that the whole image is theirs."""
    greedy = Refiner(OraclePredictor(dict.fromkeys((0, 1), BoxMask.from_frame(np.ones(FRAME, bool)))))
    given = {"segmentation": neighbours.segment_map(COARSE, 1, 0), "segments_info": neighbours.segments_info(1)}
    refined = greedy(IMAGE, given)["segmentation"]
    assert set(np.unique(refined)) == {0, 1, 2}
    assert min((refined == number).sum() for number in (1, 2)) > COARSE[0].sum() / 2


def test_a_fused_segment_is_listed_twice_and_a_stranger_stays(refiner: Refiner) -> None:
    segments = neighbours.segment_map(COARSE, 1, 0)
    segments[:2] = 9
    listed = [*neighbours.segments_info(1), {"id": 1, "label_id": 17, "was_fused": True, "score": 0.5}]
    refined = refiner(IMAGE, {"segmentation": segments, "segments_info": listed})["segmentation"]
    assert np.array_equal(refined == 1, TRUTH[0])
    assert (refined[:2] == 9).all()


def test_binary_maps_and_masks(refiner: Refiner) -> None:
    masks, boxes = tensors(COARSE.astype(np.float32), COARSE_BOXES)
    maps = refiner(IMAGE, {"segmentation": masks, "segments_info": neighbours.segments_info(0)})
    assert np.array_equal(maps["segmentation"].numpy(), TRUTH)
    refined = refiner(IMAGE, {"scores": [0.9, 0.8], "boxes": boxes, "masks": masks})
    assert np.array_equal(refined["masks"].numpy(), TRUTH)
    assert refined["boxes"].tolist() == TRUE_BOXES
    assert refined["scores"] == [0.9, 0.8]


def test_no_segments_and_runs(refiner: Refiner) -> None:
    nothing = {"segmentation": None, "segments_info": []}
    assert refiner(IMAGE, nothing) is nothing
    empty = refiner(IMAGE, {"segmentation": np.full(FRAME, -1), "segments_info": []})
    assert (empty["segmentation"] == -1).all()
    with pytest.raises(ValueError, match="expected a map or binary maps, got list; leave return_coco_annotation out"):
        refiner(IMAGE, {"segmentation": [[1, 2]], "segments_info": neighbours.segments_info(0)})


def test_the_pipeline(refiner: Refiner) -> None:
    pictures = pytest.importorskip("PIL.Image")
    given = [{"score": 0.9, "label": "cat", "mask": pictures.fromarray(mask.astype(np.uint8) * 255)} for mask in COARSE]
    refined = refiner(IMAGE, given)
    assert [(one["label"], one["mask"].mode) for one in refined] == [("cat", "L")] * 2
    assert np.array_equal(np.stack([np.asarray(one["mask"]) for one in refined]), TRUTH * np.uint8(255))


@pytest.mark.parametrize("task", ["instance", "panoptic"])
def test_a_processor_of_transformers(task: str) -> None:
    """The two squares and what is around them, each the class of its place; the processor chooses their order."""
    maskformer = pytest.importorskip("transformers.models.maskformer.image_processing_pil_maskformer", exc_type=ImportError)
    coarse, truth = (np.concatenate([masks, ~masks.any(axis=0, keepdims=True)]) for masks in (COARSE, TRUTH))
    classes, logits = tensors(np.float32([np.eye(3, 4) * 9]), np.where(coarse, 9, -9).astype(np.float32)[None])
    outputs = SimpleNamespace(class_queries_logits=classes, masks_queries_logits=logits)
    processor = maskformer.MaskFormerImageProcessorPil(num_labels=3)
    result = getattr(processor, f"post_process_{task}_segmentation")(outputs, target_sizes=[FRAME])[0]
    places = [segment["label_id"] for segment in result["segments_info"]]
    assert sorted(places) == [0, 1, 2]
    refiner = Refiner(OraclePredictor({index: BoxMask.from_frame(truth[place]) for index, place in enumerate(places)}))
    refined = refiner(IMAGE, result)["segmentation"].numpy()
    for segment in result["segments_info"]:
        assert np.array_equal(refined == segment["id"], truth[segment["label_id"]])


# Segment Anything


@pytest.mark.parametrize("form", ["binary_mask", "coco_rle", "uncompressed_rle"])
def test_the_automatic_generator(refiner: Refiner, form: str) -> None:
    given = [neighbours.generated(mask, form) for mask in COARSE]
    before = copy.deepcopy(given)
    for one, truth in zip(refiner(IMAGE, given), TRUTH, strict=True):
        expected = neighbours.generated(truth, form)
        assert one.keys() == expected.keys()
        assert type(one["segmentation"]) is type(expected["segmentation"])
        assert np.array_equal(one["segmentation"], truth) if form == "binary_mask" else one["segmentation"] == expected["segmentation"]
        assert (one["area"], one["bbox"]) == (expected["area"], expected["bbox"])
    assert str(given) == str(before), "what came in must stay as it was"


def test_coco_results_keep_their_keys(refiner: Refiner) -> None:
    given = [{"image_id": 1, "score": 0.9, **neighbours.generated(mask, "coco_rle")} for mask in COARSE]
    refined = refiner(IMAGE, given)
    assert [one["score"] for one in refined] == [0.9, 0.9]
    assert np.array_equal(decode_mask(refined[1]["segmentation"]).to_frame(), TRUTH[1])


@pytest.mark.parametrize("masks", [COARSE, np.where(COARSE, 40, -200).astype(np.float32)], ids=["masks", "logits"])
def test_a_predictor(refiner: Refiner, masks: np.ndarray) -> None:
    scores, low = np.array([0.9, 0.8]), np.zeros((2, 256, 256), np.float32)
    refined = refiner(IMAGE, (masks, scores, low))
    assert np.array_equal(refined[0] > 0, TRUTH)
    assert refined[0].dtype == masks.dtype
    assert refined[1] is scores
    assert refined[2] is low


# FiftyOne


def check_labels(refiner: Refiner, detections: type, detection: type) -> None:
    given = detections(detections=[neighbours.fiftyone_label(detection, mask, name) for mask, name in zip(COARSE, "ab", strict=True)])
    refined = refiner(IMAGE, given)
    assert type(refined) is detections
    assert [one.label for one in refined.detections] == ["a", "b"]
    for one, box in zip(refined.detections, TRUE_BOXES, strict=True):
        left, top, right, bottom = box
        assert np.allclose(one.bounding_box, [left / 120, top / 90, (right - left) / 120, (bottom - top) / 90])
        assert one.mask.shape == (bottom - top, right - left)
        assert one.mask.dtype == bool
        assert one.mask.all()
    assert given.detections[0].mask.shape == (19, 26), "what came in must stay as it was"


def test_labels_by_their_fields(refiner: Refiner) -> None:
    check_labels(refiner, neighbours.Detections, neighbours.Detection)


def test_labels_of_fiftyone(refiner: Refiner) -> None:
    fiftyone = pytest.importorskip("fiftyone.core.labels", exc_type=ImportError)
    check_labels(refiner, fiftyone.Detections, fiftyone.Detection)


def test_labels_beyond_the_image_and_without_a_mask(refiner: Refiner) -> None:
    beyond = neighbours.Detection("a", [0.9, 0.9, 0.5, 0.5], np.ones((10, 10), np.uint8) * 255)
    (one,) = refiner(IMAGE, neighbours.Detections([beyond])).detections
    assert one.mask.dtype == np.uint8
    assert one.bounding_box[0] + one.bounding_box[2] <= 1
    with pytest.raises(ValueError, match="detection 0: expected a mask, got None; leave boxes out"):
        refiner(IMAGE, neighbours.Detections([neighbours.Detection("a", [0, 0, 1, 1], None)]))


def test_a_label_whose_mask_lies_in_a_file(refiner: Refiner, tmp_path: Path) -> None:
    label = neighbours.fiftyone_label(neighbours.Detection, COARSE[0], "a")
    (in_memory,) = refiner(IMAGE, neighbours.Detections([label])).detections
    path = tmp_path / "mask.png"
    write_png(path, label.mask * np.uint8(255))
    label.mask, label.mask_path = None, str(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the mask fills its box, as many do
        (one,) = refiner(IMAGE, neighbours.Detections([label])).detections
    assert np.array_equal(one.mask, in_memory.mask)
    assert one.bounding_box == in_memory.bounding_box
    assert one.mask_path is None
    assert label.mask_path == str(path), "what came in must stay as it was"


# Scores


def scored(score: float, mask: np.ndarray) -> dict[str, Any]:
    return {"image_id": 1, "score": score, **neighbours.generated(mask, "coco_rle")}


def generated(score: float, mask: np.ndarray) -> dict[str, Any]:
    return {**neighbours.generated(mask, "binary_mask"), "predicted_iou": score}


def labelled(score: float, mask: np.ndarray) -> Any:
    label = neighbours.fiftyone_label(neighbours.Detection, mask, "a")
    label.confidence = score
    return label


ROWS = np.hstack([COARSE_BOXES, [[0.1, 3], [0.9, 4]]])
SCORES = (0.1, 0.9)
SEGMENTS = [{**segment, "score": score} for segment, score in zip(neighbours.segments_info(1), SCORES, strict=True)]
LABELS = [labelled(*pair) for pair in zip(SCORES, COARSE, strict=True)]
WITH_SCORES = {
    "COCO results": [scored(*pair) for pair in zip(SCORES, COARSE, strict=True)],
    "supervision": neighbours.SupervisionDetections(COARSE_BOXES, mask=COARSE, confidence=np.array(SCORES)),
    "detectron2": neighbours.Instances(FRAME, pred_masks=COARSE, scores=np.array(SCORES)),
    "Ultralytics": neighbours.Results(IMAGE, "a.jpg", {}, boxes=ROWS, masks=COARSE),
    "Hugging Face, map": {"segmentation": neighbours.segment_map(COARSE, 1, 0), "segments_info": SEGMENTS},
    "Hugging Face, masks": {"scores": SCORES, "masks": COARSE},
    "SAM's generator": [generated(*pair) for pair in zip(SCORES, COARSE, strict=True)],
    "SAM's predictor": (COARSE, np.array(SCORES), np.zeros((2, 256, 256), np.float32)),
    "FiftyOne": neighbours.Detections(LABELS),
}


def spent_on(masks: Any) -> list[int]:
    """How many patches each instance gets of a budget of one."""
    refined = Refiner(IdentityPredictor(), RefineOptions(max_patches=1))(IMAGE, masks, return_patches=True)
    return [len(own.boxes) for own in refined.patches]


@pytest.mark.parametrize("name", WITH_SCORES)
def test_a_budget_goes_to_the_higher_score(name: str) -> None:
    assert spent_on(WITH_SCORES[name]) == [0, 1]


def test_a_budget_goes_to_the_higher_score_of_a_pipeline() -> None:
    pictures = pytest.importorskip("PIL.Image")
    masks = [pictures.fromarray(mask.astype(np.uint8) * 255) for mask in COARSE]
    assert spent_on([{"score": score, "label": "cat", "mask": mask} for score, mask in zip(SCORES, masks, strict=True)]) == [0, 1]


def test_without_scores_all_count_alike() -> None:
    assert spent_on(COARSE) == [1, 0]


def test_scores_of_other_masks_are_refused(refiner: Refiner) -> None:
    with pytest.raises(ValueError, match="scores: expected one for each of 2 masks, got 3"):
        refiner(IMAGE, {"masks": COARSE, "scores": [0.9, 0.8, 0.7]})
