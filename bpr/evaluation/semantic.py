"""Boundary F of semantic masks: the instances of each class are merged per image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from bpr.evaluation.boundary_metrics import boundary_counts_at
from bpr.evaluation.pair_metrics import TOLERANCES
from bpr.evaluation.prepare import Document, counted
from bpr.formats.coco import Record
from bpr.geometry.boxes import enclosing
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask

MERGED_SCORE = 0.5
"""Detections of a lower score are not merged: all of them together would cover the image."""


def semantic_scores(records: Sequence[Record], document: Document) -> tuple[list[Any], np.ndarray]:
    """The boundary F of every image and class that has an annotation or a detection; crowds belong to the ground truth.

    Args:
        records: prepared detections.
        document: prepared annotations.

    Returns:
        N image ids and (N, tolerances) F.
    """
    found = [records[index] for index in counted(records, document)]
    truths = _by_class(document["annotations"])
    detections = _by_class(item for item in found if item["score"] >= MERGED_SCORE)
    frames = {item["image_id"]: tuple(item["segmentation"]["size"]) for item in (*document["annotations"], *found)}
    keys = list(dict.fromkeys([*truths, *detections]))
    scores = []
    for key in keys:
        truth, detected = (_merged(side.get(key, []), frames[key[0]]) for side in (truths, detections))
        scores.append([counts.f for counts in boundary_counts_at(detected, truth, TOLERANCES)])
    return [image_id for image_id, _ in keys], np.array(scores).reshape(len(keys), len(TOLERANCES))


def _by_class(items: Iterable[Record]) -> dict[tuple[Any, Any], list[Record]]:
    groups: dict[tuple[Any, Any], list[Record]] = defaultdict(list)
    for item in items:
        groups[item["image_id"], item["category_id"]].append(item)
    return groups


def _merged(items: Sequence[Record], frame: tuple[int, int]) -> BoxMask:
    masks = [mask for item in items if (mask := decode_mask(item["segmentation"], frame)).pixels.size]
    if len(masks) <= 1:
        return masks[0] if masks else BoxMask.empty(frame)
    x0, y0, x1, y1 = enclosing(np.array([mask.box for mask in masks]))
    pixels = np.zeros((y1 - y0, x1 - x0), bool)
    for mask in masks:
        left, top, right, bottom = mask.box
        pixels[top - y0 : bottom - y0, left - x0 : right - x0] |= mask.pixels
    return BoxMask(pixels, x0, y0, frame)
