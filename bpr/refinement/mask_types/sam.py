"""Segment Anything: the list of dicts of the automatic generator, and the tuple of a predictor.

A dict with ``segmentation`` may also be a COCO result. Its ``area`` and ``bbox`` (XYWH) are updated with the mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bpr.formats.coco import with_mask
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, frame_of
from bpr.refinement.mask_types.adapter import Adapter, Frame
from bpr.refinement.mask_types.arrays import is_stack, last_two, like_stack, read_stack, to_array, write_stack
from bpr.refinement.mask_types.coco import like_segmentation
from bpr.refinement.predictor import Instance


def _is_generated(masks: Any) -> bool:
    return (
        isinstance(masks, list)
        and bool(masks)
        and all(isinstance(one, dict) and "segmentation" in one and "mask" not in one for one in masks)
    )


def _frame(given: list[dict[str, Any]]) -> Frame | None:
    """The size of the first mask that states one, which polygons do not."""
    masks = [one["segmentation"] for one in given]
    return next(filter(None, (last_two(mask) if is_stack(mask) else frame_of(mask) for mask in masks)), None)


def _read(given: list[dict[str, Any]], frame: Frame) -> list[Instance]:
    return [Instance(_mask(one["segmentation"], frame), index) for index, one in enumerate(given)]


def _mask(segmentation: Any, frame: Frame) -> BoxMask:
    return read_stack(segmentation, frame)[0].mask if is_stack(segmentation) else decode_mask(segmentation, frame)


def _write(given: list[dict[str, Any]], refined: Sequence[BoxMask]) -> list[dict[str, Any]]:
    pairs = zip(given, refined, strict=True)
    return [with_mask(one, mask, _like(one["segmentation"], mask)) for one, mask in pairs]


def _like(segmentation: Any, mask: BoxMask) -> Any:
    return write_stack(segmentation, [mask]) if is_stack(segmentation) else like_segmentation(segmentation, mask)


def _is_predicted(masks: Any) -> bool:
    """Whether it is (masks, scores, low-resolution logits) of one prompt."""
    return isinstance(masks, tuple) and len(masks) == 3 and all(map(is_stack, masks)) and masks[1].ndim == 1


def _read_predicted(given: tuple[Any, Any, Any], frame: Frame) -> list[Instance]:
    """The instances; with ``return_logits`` the masks are logits, and foreground is above 0."""
    masks = to_array(given[0])
    return read_stack(1 / (1 + np.exp(-np.clip(masks, -30, 30))) if masks.dtype.kind == "f" else masks, frame)


GENERATED = Adapter(
    _is_generated,
    _frame,
    _read,
    _write,
    scores_of=lambda given: [one.get("score", one.get("predicted_iou")) for one in given],
)
PREDICTED = Adapter(
    _is_predicted,
    lambda given: last_two(given[0]),
    _read_predicted,
    lambda given, refined: (write_stack(given[0], refined), *given[1:]),
    lambda given, array: like_stack(given[0], array),
    lambda given: given[1],
)
