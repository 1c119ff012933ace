"""``Results`` of Ultralytics: ``masks.data`` (N, h, w), ``boxes.data`` (N, 6 or 7), ``orig_shape`` (H, W).

Without ``retina_masks`` the masks have the size of the network's input, which is the image scaled to fit and centred in
a grey border. The border is cut off, and the masks are resized to the image; refined masks have the image's size.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from bpr.errors import BadInput
from bpr.geometry.masks import BoxMask
from bpr.refinement.mask_types.adapter import Adapter, Frame
from bpr.refinement.mask_types.arrays import follow, like_stack, of_type, read_stack, to_array
from bpr.refinement.predictor import Instance


def _read(results: Any, frame: Frame) -> list[Instance]:
    if results.masks is None:
        if results.boxes is not None and len(results.boxes.data):
            raise BadInput("Results: expected masks, got none; use a -seg model")
        return []
    if tuple(results.orig_shape) != tuple(frame):
        sizes = " and ".join("{}x{}".format(*size) for size in (frame, results.orig_shape))
        raise BadInput(f"Results: expected those of the image, got sizes that differ, {sizes}; pass the image that was predicted")
    return read_stack(unpadded(to_array(results.masks.data), frame), frame)


def unpadded(masks: np.ndarray, frame: Frame) -> np.ndarray:
    """(N, h, w) masks of a padded input -> (N, H, W) float32 in [0, 1]; masks of the image's size stay as they are.

    >>> masks = np.zeros((1, 4, 4), np.uint8); masks[0, 1:3, 2:] = 1  # the image fills the two rows in the middle
    >>> unpadded(masks, (4, 8))[0].round().astype(int).tolist()[1]
    [0, 0, 0, 0, 1, 1, 1, 1]
    """
    height, width = masks.shape[1:]
    if (height, width) == tuple(frame):
        return masks
    scale = min(height / frame[0], width / frame[1])
    rows, columns = (max(round(side * scale), 1) for side in frame)
    top, left = (round((whole - part) / 2 - 0.1) for whole, part in ((height, rows), (width, columns)))
    inner = masks[:, top : top + rows, left : left + columns].astype(np.float32)
    resized = [cv2.resize(mask, (frame[1], frame[0]), interpolation=cv2.INTER_LINEAR) for mask in inner]
    return np.clip(np.array(resized, np.float32).reshape(-1, *frame), 0, 1)


def _write(given: Any, refined: Sequence[BoxMask]) -> Any:
    """A copy with new ``masks``, of the image's size, and new ``boxes``; everything else is kept."""
    if given.masks is None:
        return given
    frames = np.array([mask.to_frame() for mask in refined]).reshape(-1, *given.orig_shape)
    changed = copy.copy(given)
    changed.masks = type(given.masks)(of_type(given.masks.data, frames), given.orig_shape)
    changed.boxes = type(given.boxes)(follow(given.boxes.data, refined), given.orig_shape)
    return changed


def _scores(results: Any) -> Any:
    """The confidence of every box: the last column but one, as tracking inserts a column before it."""
    return None if results.masks is None or results.boxes is None else to_array(results.boxes.data)[:, -2]


RESULTS = Adapter(
    lambda masks: all(hasattr(masks, name) for name in ("masks", "boxes", "orig_shape")),
    lambda results: tuple(results.orig_shape),
    _read,
    _write,
    lambda given, array: array if given.masks is None else like_stack(given.masks.data, array),
    _scores,
)
