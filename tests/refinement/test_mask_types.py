"""Whatever masks come in, the same type comes out: checked with a predictor that says the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from bpr.errors import BadMask
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask
from bpr.refinement.mask_types import ADAPTERS, adapter_for
from bpr.refinement.predictor import OraclePredictor
from bpr.refinement.refiner import Refiner
from tests.refinement.neighbours import COARSE, FRAME, IMAGE, TRUE_BOXES, TRUTH, SupervisionDetections


@pytest.fixture(scope="module")
def refiner() -> Refiner:
    return Refiner(OraclePredictor({index: BoxMask.from_frame(mask) for index, mask in enumerate(TRUTH)}))


@pytest.mark.parametrize(
    ("dtype", "value"),
    [(bool, 1), (np.uint8, 1), (np.uint8, 255), (np.int64, 1), (np.float16, 1), (np.float32, 0.9), (np.float64, 0.6)],
)
@pytest.mark.parametrize("count", [2, 1, 0])
def test_arrays(refiner: Refiner, dtype: type, value: float, count: int) -> None:
    given = (COARSE[:count] * value).astype(dtype)
    refined = refiner(IMAGE, given)
    assert refined.dtype == dtype
    assert np.array_equal(refined, TRUTH[:count] * (1 if value < 1 else value))


def test_every_mask_of_integers_keeps_its_value(refiner: Refiner) -> None:
    values = np.array([7, 200]).reshape(2, 1, 1)
    assert np.array_equal(refiner(IMAGE, COARSE * values), TRUTH * values)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32])
def test_one_mask_without_the_first_axis(refiner: Refiner, dtype: type) -> None:
    assert np.array_equal(refiner(IMAGE, COARSE[0].astype(dtype)), TRUTH[0])
    assert refiner(IMAGE, COARSE[0], return_probability=True).probability.shape == FRAME


def test_masks_with_an_axis_of_one_channel(refiner: Refiner) -> None:
    """As torchvision gives them: (N, 1, H, W) probabilities."""
    refined = refiner(IMAGE, {"masks": COARSE[:, None].astype(np.float32), "scores": np.array([0.9, 0.8])})
    assert refined["masks"].shape == (2, 1, *FRAME)
    assert np.array_equal(refined["masks"][:, 0], TRUTH)


def test_a_list_of_masks_in_a_dict(refiner: Refiner) -> None:
    """As the pipeline ``mask-generation`` of transformers gives them."""
    refined = refiner(IMAGE, {"masks": list(COARSE), "scores": [0.9, 0.8]})
    assert isinstance(refined["masks"], list)
    assert np.array_equal(refined["masks"], TRUTH)
    assert refiner(IMAGE, {"masks": [], "scores": []}, return_probability=True).masks["masks"] == []


def test_a_list_of_tensors_in_a_dict(refiner: Refiner) -> None:
    torch = pytest.importorskip("torch")
    given = {"masks": [torch.from_numpy(mask).to(torch.uint8) * 255 for mask in COARSE], "boxes": None}
    refined = refiner(IMAGE, given, return_probability=True)
    assert torch.equal(torch.stack(refined.masks["masks"]), torch.from_numpy(TRUTH).to(torch.uint8) * 255)
    assert refined.probability.shape == (2, *FRAME)
    assert isinstance(refined.probability, torch.Tensor)


ONE_SIZE = r"masks: expected \(H, W\) of one size, got \(90, 120\), \(89, 120\); pass what the pipeline returned"


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (np.zeros((2, 3, *FRAME)), "the axis of the masks comes first"),
        (np.zeros((*FRAME, 1)), "the axis of the masks comes first"),
        ({"masks": [COARSE[0], COARSE[1, 1:]]}, ONE_SIZE),
        ([{"mask": None}], r"masks: expected \(H, W\) of one size, got \(\); pass what the pipeline returned"),
        ([{"mask": COARSE[0]}, {"mask": COARSE[1, 1:]}], ONE_SIZE),
        ({"segmentation": np.zeros(FRAME, int), "segments_info": [{"label_id": 1}]}, "expected dicts with an id"),
        ("mask\0.png", "no file can have this name"),
    ],
)
def test_masks_that_do_not_fit_are_one_line(refiner: Refiner, masks: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        refiner(IMAGE, masks)


def test_soft_masks_keep_their_probabilities() -> None:
    soft = np.where(COARSE, 0.7, 0.2).astype(np.float32)
    for index, instance in enumerate(adapter_for(soft).read(soft, FRAME)):
        assert np.array_equal(instance.soft, soft[index])
        assert np.array_equal(instance.mask.to_frame(), COARSE[index])
    assert adapter_for(COARSE).read(COARSE, FRAME)[0].soft is None


def test_a_probability_of_one_half_is_background() -> None:
    assert adapter_for(np.zeros(1)).read(np.full(FRAME, 0.5), FRAME)[0].mask.area == 0


def test_rles_come_back_with_counts_of_their_kind(refiner: Refiner) -> None:
    text = encode_mask(BoxMask.from_frame(COARSE[0]))
    binary, expected, runs = (coco_mask.encode(np.asfortranarray(mask, np.uint8)) for mask in (COARSE[1], TRUTH[1], COARSE[0]))
    first, second = refiner(IMAGE, [text, binary])
    assert first == encode_mask(BoxMask.from_frame(TRUTH[0]))
    assert second == expected
    plain = {"size": list(FRAME), "counts": [11 * 90 + 16, *([38, 52] * 53)[:-1], 90 * 120 - (11 * 90 + 16) - 53 * 90 + 52]}
    assert coco_mask.frPyObjects(plain, *FRAME)["counts"] == runs["counts"]
    (third,) = refiner(IMAGE, [plain])
    assert isinstance(third["counts"], list)
    assert coco_mask.frPyObjects(third, *FRAME)["counts"].decode() == first["counts"]


def test_polygons_come_back_as_rle(refiner: Refiner) -> None:
    assert refiner(IMAGE, [[[11, 16, 64, 16, 64, 54, 11, 54]]]) == [encode_mask(BoxMask.from_frame(TRUTH[0]))]


def test_no_masks(refiner: Refiner) -> None:
    assert refiner(IMAGE, []) == []
    assert refiner(IMAGE, [], return_probability=True).probability.shape == (0, *FRAME)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "float32", "bfloat16"])
def test_torch_tensors(refiner: Refiner, dtype: str) -> None:
    torch = pytest.importorskip("torch")
    given = torch.from_numpy(COARSE).to(getattr(torch, dtype))
    refined = refiner(IMAGE, given, return_probability=True)
    assert refined.masks.dtype == given.dtype
    assert refined.masks.device == given.device
    assert np.array_equal(refined.masks.float().numpy(), TRUTH)
    assert isinstance(refined.probability, torch.Tensor)
    assert np.array_equal((refined.probability > 0.5).numpy(), TRUTH)


def check_detections(refiner: Refiner, kind: type) -> None:
    boxes = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.float32)
    given = kind(xyxy=boxes, mask=COARSE, confidence=np.array([0.9, 0.8]), class_id=np.array([3, 4]), data={"name": np.array(["a", "b"])})
    refined = refiner(IMAGE, given)
    assert type(refined) is kind
    assert np.array_equal(refined.mask, TRUTH)
    assert refined.xyxy.tolist() == TRUE_BOXES
    assert refined.xyxy.dtype == np.float32
    assert refined.confidence is given.confidence
    assert refined.data is given.data
    assert np.array_equal(given.mask, COARSE), "what came in must stay as it was"
    assert given.xyxy[0].tolist() == [1, 2, 3, 4]


def test_detections_by_their_fields(refiner: Refiner) -> None:
    check_detections(refiner, SupervisionDetections)


def test_detections_of_supervision(refiner: Refiner) -> None:
    supervision = pytest.importorskip("supervision")
    check_detections(refiner, supervision.Detections)
    assert len(refiner(IMAGE, supervision.Detections.empty())) == 0


def test_compact_masks_of_supervision_come_back_as_such(refiner: Refiner) -> None:
    supervision = pytest.importorskip("supervision")
    compact = pytest.importorskip("supervision.detection.compact_mask").CompactMask
    boxes = np.array([[0, 0, FRAME[1] - 1, FRAME[0] - 1]] * 2, np.float32)
    given = supervision.Detections(xyxy=boxes, mask=compact.from_dense(COARSE, boxes, FRAME), class_id=np.array([3, 4]))
    refined = refiner(IMAGE, given)
    assert isinstance(refined.mask, compact)
    dense = refiner(IMAGE, supervision.Detections(xyxy=boxes, mask=COARSE))
    assert np.array_equal(refined.mask.to_dense(), dense.mask)
    assert refined.xyxy.tolist() == dense.xyxy.tolist() == TRUE_BOXES
    assert refined[1:].class_id.tolist() == [4]
    empty = supervision.Detections(xyxy=boxes[:0], mask=compact.from_dense(COARSE[:0], boxes[:0], FRAME))
    assert len(refiner(IMAGE, empty)) == 0


def test_an_empty_mask_keeps_its_box(refiner: Refiner) -> None:
    given = SupervisionDetections(xyxy=np.array([[1.0, 2, 3, 4]]), mask=np.zeros((1, *FRAME), bool))
    assert refiner(IMAGE, given).xyxy.tolist() == [[1, 2, 3, 4]]


def test_boxes_alone_are_refused(refiner: Refiner) -> None:
    with pytest.raises(ValueError, match="Detections: expected masks, got mask=None"):
        refiner(IMAGE, SupervisionDetections(xyxy=np.zeros((1, 4))))


@pytest.mark.parametrize(
    "masks",
    [
        COARSE,
        [encode_mask(BoxMask.from_frame(COARSE[0]))],
        [[[10, 10, 20, 10, 20, 20]]],
        [],
        [{"segmentation": COARSE[0], "bbox": [0, 0, 9, 9]}],
        [{"mask": COARSE[0], "score": 0.5}],
        [{"mask": COARSE[0], "segmentation": COARSE[0]}],
        {"segmentation": COARSE[0].astype(int), "segments_info": [{"id": 1}]},
        {"segmentation": COARSE, "segments_info": [{"id": 1}]},
        {"masks": COARSE, "scores": np.ones(2)},
        (COARSE, np.ones(2), np.zeros((2, 64, 64))),
        SupervisionDetections(xyxy=np.zeros((2, 4)), mask=COARSE),
    ],
)
def test_one_adapter_accepts_what_comes_in_whatever_their_order(masks: Any) -> None:
    assert sum(bool(adapter.accepts(masks)) for adapter in ADAPTERS) == 1


OTHERS = [([np.zeros(FRAME)], "got list of ndarray; numpy.asarray converts"), (None, "got None; was their file found")]


@pytest.mark.parametrize(("masks", "message"), OTHERS)
def test_other_things_are_named(refiner: Refiner, masks: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        refiner(IMAGE, masks)


def test_a_broken_rle_is_named(refiner: Refiner) -> None:
    with pytest.raises(BadMask, match="expected runs that fill"):
        refiner(IMAGE, [{"size": list(FRAME), "counts": [5, 5]}])
