"""FiftyOne's ``Detections``: every ``mask`` fills its ``bounding_box``, XYWH as shares of the image."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from bpr.errors import BadInput
from bpr.geometry.boxes import Box, intersect
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
    box = _pixels(detection.bounding_box, frame)
    size = max(box[2] - box[0], 1), max(box[3] - box[1], 1)
    mask = cv2.resize((np.asarray(stored) > 0).view(np.uint8), size, interpolation=cv2.INTER_NEAREST).view(bool)
    x0, y0, x1, y1 = intersect((box[0], box[1], box[0] + size[0], box[1] + size[1]), (0, 0, frame[1], frame[0]))
    inside = mask[y0 - box[1] : max(y1, y0) - box[1], x0 - box[0] : max(x1, x0) - box[0]]
    return BoxMask(inside, x0, y0, frame).trimmed()


def _pixels(share: Sequence[float], frame: Frame) -> Box:
    """The XYXY pixels of an XYWH box that is given as shares of the image."""
    (left, top, width, height), (rows, columns) = share, frame
    return round(left * columns), round(top * rows), round((left + width) * columns), round((top + height) * rows)


def _write(given: Any, refined: Sequence[BoxMask]) -> Any:
    """A copy whose detections have new ``mask`` and ``bounding_box``; an empty mask stays as it was.

    A mask in a file becomes one in memory, as nothing but the sample may say where its files lie.
    """
    changed = copy.deepcopy(given)
    for detection, mask in zip(changed.detections, refined, strict=True):
        if mask.pixels.size:
            _set(detection, mask.trimmed())
    return changed


def _set(detection: Any, mask: BoxMask) -> None:
    if detection.mask is None:
        detection.mask, detection.mask_path = mask.pixels, None
    else:
        old = np.asarray(detection.mask)
        detection.mask = mask.pixels if old.dtype == bool else mask.pixels.astype(old.dtype) * old.max()
    (height, width), (left, top, across, down) = mask.frame, mask.bbox
    detection.bounding_box = [left / width, top / height, across / width, down / height]


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
