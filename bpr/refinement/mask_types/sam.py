"""Segment Anything: the list of dicts of the automatic generator, and the tuple of a predictor.

A dict with ``segmentation`` may also be a COCO result. Its ``area`` and ``bbox`` (XYWH) are updated with the mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bpr.formats.coco import with_mask
from bpr.geometry.masks import BoxMask
from bpr.refinement.mask_types.adapter import Adapter, Frame, lists_dicts
from bpr.refinement.mask_types.arrays import holder, is_stack, read_stack, to_array
from bpr.refinement.mask_types.coco import frame_in, like_segmentation, read_segmentations
from bpr.refinement.predictor import Instance


def _segmentations(given: list[dict[str, Any]]) -> list[Any]:
    return [one["segmentation"] for one in given]


def _write(given: list[dict[str, Any]], refined: Sequence[BoxMask]) -> list[dict[str, Any]]:
    pairs = zip(given, refined, strict=True)
    return [with_mask(one, mask, like_segmentation(one["segmentation"], mask)) for one, mask in pairs]


def _is_predicted(masks: Any) -> bool:
    """Whether it is (masks, scores, low-resolution logits) of one prompt."""
    return isinstance(masks, tuple) and len(masks) == 3 and all(map(is_stack, masks)) and masks[1].ndim == 1


def _read_predicted(given: tuple[Any, Any, Any], frame: Frame) -> list[Instance]:
    """The instances; with ``return_logits`` the masks are logits, and foreground is above 0."""
    masks = to_array(given[0])
    return read_stack(1 / (1 + np.exp(-np.clip(masks, -30, 30))) if masks.dtype.kind == "f" else masks, frame)


GENERATED = Adapter(
    lambda masks: lists_dicts(masks, "segmentation") and not any("mask" in one for one in masks),
    lambda given: frame_in(_segmentations(given)),
    lambda given, frame: read_segmentations(_segmentations(given), frame),
    _write,
    scores_of=lambda given: [one.get("score", one.get("predicted_iou")) for one in given],
)
PREDICTED = replace(
    holder(_is_predicted, lambda given: given[0], lambda given, masks, refined: (masks, *given[1:]), lambda given: given[1]),
    read=_read_predicted,
)
