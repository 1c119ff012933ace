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
    changed.mask, changed.xyxy = _like(given.mask, masks, refined), follow(given.xyxy, refined)
    return changed


def _like(given: Any, masks: np.ndarray, refined: Sequence[BoxMask]) -> Any:
    """The masks as an array, or as a ``CompactMask`` where one was given."""
    if not hasattr(given, "from_dense"):
        return masks
    last = np.array([[x0, y0, x1 - 1, y1 - 1] for x0, y0, x1, y1 in (mask.box for mask in refined)]).reshape(-1, 4)
    return type(given).from_dense(masks, last, masks.shape[1:])


DETECTIONS = holder(
    lambda masks: hasattr(masks, "xyxy") and hasattr(masks, "mask"),
    _masks,
    _rebuild,
    lambda detections: getattr(detections, "confidence", None),
)
