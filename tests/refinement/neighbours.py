"""What other libraries return for one image, written by hand after their documentation: fields, shapes, types.

Legend: two squares on a 90x120 image, coarse and true; N = 2 masks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask

FRAME = (90, 120)
IMAGE = np.zeros((*FRAME, 3), np.uint8)


def squares(grown: int) -> np.ndarray:
    """(2, 90, 120) bool."""
    masks = np.zeros((2, *FRAME), bool)
    masks[0, 20 - grown : 50 + grown, 15 - grown : 60 + grown] = True
    masks[1, 30 - grown : 80 + grown, 70 - grown : 110 + grown] = True
    return masks


COARSE, TRUTH = squares(4), squares(0)
COARSE_BOXES = np.array([[11, 16, 64, 54], [66, 26, 114, 84]], np.float32)
TRUE_BOXES = [[15, 20, 60, 50], [70, 30, 110, 80]]


@dataclass
class Boxes:
    """``detectron2.structures.Boxes``."""

    tensor: Any


class Instances:
    """``detectron2.structures.Instances``: fields are attributes, and can be asked for."""

    def __init__(self, image_size: tuple[int, int], **fields: Any) -> None:
        self.__dict__.update(image_size=image_size, _fields=fields)

    def __getattr__(self, name: str) -> Any:
        if name not in self.__dict__.get("_fields", {}):
            raise AttributeError(name)
        return self._fields[name]

    def has(self, name: str) -> bool:
        return name in self._fields

    def get_fields(self) -> dict[str, Any]:
        return self._fields

    def to(self, device: str) -> Instances:
        return self


class Data:
    """``ultralytics.engine.results.Masks`` and ``Boxes``: ``data`` and the image's (H, W)."""

    def __init__(self, data: Any, orig_shape: tuple[int, int]) -> None:
        self.data, self.orig_shape = data, orig_shape


class Results:
    """``ultralytics.engine.results.Results``."""

    def __init__(self, orig_img: np.ndarray, path: str, names: dict[int, str], boxes: Any = None, masks: Any = None) -> None:
        self.orig_img, self.orig_shape, self.path, self.names = orig_img, orig_img.shape[:2], path, names
        self.boxes = None if boxes is None else Data(boxes, self.orig_shape)
        self.masks = None if masks is None else Data(masks, self.orig_shape)


def letterboxed(masks: np.ndarray) -> np.ndarray:
    """(N, 128, 128) uint8: 90x120 masks as the network saw them, scaled to 96x128 between two rims."""
    scaled = [cv2.resize(mask.astype(np.uint8), (128, 96), interpolation=cv2.INTER_NEAREST) for mask in masks]
    return np.pad(np.array(scaled), ((0, 0), (16, 16), (0, 0)))


@dataclass
class Detection:
    """``fiftyone.Detection``."""

    label: str
    bounding_box: list[float]
    mask: np.ndarray | None
    confidence: float | None = None
    mask_path: str | None = None


@dataclass
class Detections:
    """``fiftyone.Detections``."""

    detections: list[Detection]


def fiftyone_label(kind: type, mask: np.ndarray, label: str) -> Any:
    """A mask inside its box, half as large as the box in pixels, as a mask head writes it."""
    box = BoxMask.from_frame(mask)
    left, top, width, height = box.bbox
    half = cv2.resize(box.pixels.astype(np.uint8), (int(width) // 2, int(height) // 2), interpolation=cv2.INTER_NEAREST)
    share = [left / FRAME[1], top / FRAME[0], width / FRAME[1], height / FRAME[0]]
    return kind(label=label, bounding_box=share, mask=half > 0, confidence=0.9)


@dataclass
class SupervisionDetections:
    """``supervision.Detections``."""

    xyxy: np.ndarray
    mask: np.ndarray | None = None
    confidence: np.ndarray | None = None
    class_id: np.ndarray | None = None
    tracker_id: np.ndarray | None = None
    data: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)


def segment_map(masks: np.ndarray, first: int, void: int) -> np.ndarray:
    """(90, 120) int32 of segment ids from ``first`` on."""
    return np.where(masks.any(axis=0), first + masks.argmax(axis=0), void).astype(np.int32)


def segments_info(first: int) -> list[dict[str, Any]]:
    return [{"id": first + index, "label_id": 17, "was_fused": False, "score": 0.9} for index in range(2)]


def generated(mask: np.ndarray, form: str) -> dict[str, Any]:
    """One mask of ``SamAutomaticMaskGenerator`` in the form of its ``output_mode``."""
    rle = encode_mask(BoxMask.from_frame(mask))
    forms = {"binary_mask": mask, "coco_rle": rle, "uncompressed_rle": {"size": list(FRAME), "counts": runs(mask)}}
    scores = {"predicted_iou": 0.95, "stability_score": 0.97, "point_coords": [[30.0, 40.0]], "crop_box": [0, 0, 120, 90]}
    return {"segmentation": forms[form], "area": int(mask.sum()), "bbox": BoxMask.from_frame(mask).bbox, **scores}


def runs(mask: np.ndarray) -> list[int]:
    """Run lengths down the columns, background first."""
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat, prepend=False)).tolist()
    return np.diff([0, *edges, flat.size]).tolist()
