"""``supervision.Detections``, recognised by its fields."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from bpr.errors import BadInput
from bpr.geometry.masks import BoxMask
from bpr.refinement.mask_types.arrays import follow, holder


def _masks(detections: Any) -> np.ndarray | None:
    if detections.mask is None and len(detections.xyxy):
        raise BadInput("Detections: expected masks, got mask=None; use a model that segments instances")
    return None if detections.mask is None else np.asarray(detections.mask)


def _rebuild(given: Any, masks: np.ndarray, refined: Sequence[BoxMask]) -> Any:
    """A copy with new ``mask`` and ``xyxy``, everything else kept."""
    changed = copy.copy(given)
    changed.mask, changed.xyxy = masks, follow(given.xyxy, refined)
    if hasattr(given.mask, "from_dense"):  # a CompactMask, whose boxes include their last row and column
        boxes = np.array([mask.box for mask in refined], int).reshape(-1, 4) - [0, 0, 1, 1]
        changed.mask = type(given.mask).from_dense(masks, boxes, masks.shape[1:])
    return changed


DETECTIONS = holder(
    lambda masks: hasattr(masks, "xyxy") and hasattr(masks, "mask"),
    _masks,
    _rebuild,
    lambda detections: getattr(detections, "confidence", None),
)
