"""The ground truth of a detection: the annotation of its image and class, crowds aside, with the highest mask IoU."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from bpr.errors import BadMask, BPRError, shown
from bpr.formats.coco import Record
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, encode_mask
from bpr.limits import is_id


class GroundTruth:
    """The instances of an annotation file by image and class. Masks are decoded at their first use and kept.

    Args:
        document: a checked annotation file (:func:`bpr.formats.coco.read_annotations`).

    Raises:
        BPRError: an annotation has no image or class.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        sizes = {image["id"]: (image.get("height"), image.get("width")) for image in document["images"]}
        self._frames = {key: size for key, size in sizes.items() if None not in size}
        self._annotations: dict[tuple[Any, Any], list[Record]] = defaultdict(list)
        for index, annotation in enumerate(document["annotations"]):
            keys = ("image_id", "category_id")
            if not isinstance(annotation, dict) or not all(is_id(annotation.get(key)) for key in keys):
                wanted = "expected an object with image_id and category_id"
                raise BPRError(f"annotation {index}: {wanted}, got {shown(annotation)}")
            if not annotation.get("iscrowd"):
                self._annotations[annotation["image_id"], annotation["category_id"]].append(annotation)
        self._masks: dict[tuple[Any, Any], list[BoxMask]] = {}

    def fresh(self) -> GroundTruth:
        """A copy without decoded masks, so that a loop over images can drop the masks of each image with the copy."""
        other = copy.copy(self)
        other._masks = {}
        return other

    def annotations(self, image_id: Any, category_id: Any) -> list[Record]:
        """The annotations of one class in one image, in the order of the file, without crowds."""
        return self._annotations.get((image_id, category_id), [])

    def masks(self, image_id: Any, category_id: Any) -> list[BoxMask]:
        """The masks of :meth:`annotations`."""
        key = image_id, category_id
        if key not in self._masks:
            frame = self._frames.get(image_id)
            self._masks[key] = [_annotated(annotation, frame) for annotation in self.annotations(*key)]
        return self._masks[key]

    def matches(self, records: Sequence[Record]) -> list[tuple[BoxMask | None, float]]:
        """For every record, the annotated mask with the highest IoU and that IoU; (None, 0.0) without an overlap.

        Of several masks with the same IoU, the first in the file is taken.
        """
        return [(self.masks(*key)[best], iou) if iou else (None, 0.0) for key, best, iou in self._best(records)]

    def matched_annotations(self, records: Sequence[Record]) -> list[tuple[Record | None, float]]:
        """:meth:`matches` with annotations in place of their masks."""
        return [(self.annotations(*key)[best], iou) if iou else (None, 0.0) for key, best, iou in self._best(records)]

    def _best(self, records: Sequence[Record]) -> list[tuple[tuple[Any, Any], int, float]]:
        """For every record: its image and class, the index of the best instance among theirs, and the IoU or 0."""
        groups: dict[tuple[Any, Any], list[int]] = defaultdict(list)
        for index, record in enumerate(records):
            if is_id(record["image_id"]) and is_id(record.get("category_id")):
                groups[record["image_id"], record["category_id"]].append(index)
        best = [((record["image_id"], record.get("category_id")), 0, 0.0) for record in records]
        for key, indices in groups.items():
            truths = self.masks(*key)
            if not truths:
                continue
            readable = [(i, mask) for i in indices if (mask := self._detection(records[i])) is not None]
            overlap = mask_iou([mask for _, mask in readable], truths)
            for (index, _), row in zip(readable, overlap, strict=True):
                best[index] = key, int(row.argmax()), float(row.max())
        return best

    def _detection(self, record: Record) -> BoxMask | None:
        try:
            return decode_mask(record["segmentation"], self._frames.get(record["image_id"]))
        except BadMask:
            return None


def _annotated(annotation: Record, frame: tuple[int, int] | None) -> BoxMask:
    try:
        return decode_mask(annotation.get("segmentation"), frame)
    except BadMask as error:
        raise BPRError(f"annotation of image {shown(annotation['image_id'])}: {error}") from None


def mask_iou(first: Sequence[BoxMask], second: Sequence[BoxMask]) -> np.ndarray:
    """(len(first), len(second)) float: the IoU of every pair, computed on run lengths."""
    if not first or not second:
        return np.zeros((len(first), len(second)))
    encoded = [[encode_mask(mask) for mask in masks] for masks in (first, second)]
    return np.asarray(coco_mask.iou(encoded[0], encoded[1], [0] * len(second)))
