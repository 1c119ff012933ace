"""FiftyOne's ``Detections``: every ``mask`` fills its ``bounding_box``, XYWH as shares of the image."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from bpr.errors import BadInput
from bpr.geometry.masks import BoxMask
from bpr.io.mask_picture import one_object, read_mask_picture
from bpr.refinement.mask_types.adapter import Adapter, Frame
from bpr.refinement.predictor import Instance


def _read(labels: Any, frame: Frame) -> list[Instance]:
    return [Instance(_placed(detection, frame, index), index) for index, detection in enumerate(labels.detections)]


def _placed(detection: Any, frame: Frame, index: int) -> BoxMask:
    """A detection's mask, resized to its box in pixels and cut at the frame."""
    stored = detection.mask
    if stored is None and getattr(detection, "mask_path", None):
        stored = one_object(read_mask_picture(detection.mask_path)[0], detection.mask_path)
    if stored is None:
        raise BadInput(f"detection {index}: expected a mask, got None; leave boxes out")
    (left, top, width, height), (rows, columns) = detection.bounding_box, frame
    x0, y0, x1, y1 = round(left * columns), round(top * rows), round((left + width) * columns), round((top + height) * rows)
    size = max(x1 - x0, 1), max(y1 - y0, 1)
    mask = cv2.resize((np.asarray(stored) > 0).view(np.uint8), size, interpolation=cv2.INTER_NEAREST).view(bool)
    return BoxMask(mask, x0, y0, frame).clipped()


def _write(given: Any, refined: Sequence[BoxMask]) -> Any:
    """A copy whose detections have new ``mask`` and ``bounding_box``; an empty mask stays as it was.

    A mask in a file becomes one in memory, as nothing but the sample may say where its files lie.
    """
    changed = copy.deepcopy(given)
    for detection, mask in zip(changed.detections, refined, strict=True):
        if not mask.pixels.size:
            continue
        pixels = mask.trimmed().pixels
        if detection.mask is None:
            detection.mask, detection.mask_path = pixels, None
        else:
            old = np.asarray(detection.mask)
            detection.mask = pixels if old.dtype == bool else pixels.astype(old.dtype) * old.max()
        (height, width), (left, top, across, down) = mask.frame, mask.bbox
        detection.bounding_box = [left / width, top / height, across / width, down / height]
    return changed


def _is_labels(masks: Any) -> bool:
    detections = getattr(masks, "detections", None)
    return detections is not None and all(hasattr(one, "bounding_box") and hasattr(one, "mask") for one in detections)


LABELS = Adapter(
    _is_labels,
    lambda labels: None,
    _read,
    _write,
    scores_of=lambda labels: [getattr(one, "confidence", None) for one in labels.detections],
)
