"""Panoptic quality (CVPR 2019) as COCO's panopticapi defines it, and Boundary PQ (CVPR 2021), from counts per image and
class.

Legend: H W image; ids are segment ids, VOID where there is no segment.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np

from bpr.evaluation.boundary_metrics import boundary_band, boundary_width, overlap
from bpr.formats.coco import is_crowd
from bpr.formats.panoptic import VOID
from bpr.geometry.masks import BoxMask

Segment = dict[str, Any]
MATCH_IOU = 0.5
"""The IoU of a match is larger, so that no segment has two matches."""
IGNORED_SHARE = 0.5
"""A predicted segment without a match is ignored if a larger share of it lies on void and on crowds of its class."""


@dataclass(frozen=True)
class PanopticCounts:
    """The counts of one class, with the summed IoU of its matches; sums of counts are counts."""

    iou: float = 0.0
    matched: int = 0
    false_positive: int = 0
    false_negative: int = 0

    def __add__(self, other: PanopticCounts) -> PanopticCounts:
        return PanopticCounts(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    @property
    def weight(self) -> float:
        """The denominator of PQ: matches and half of the mistakes; 0 if the class does not occur."""
        return self.matched + (self.false_positive + self.false_negative) / 2


def panoptic_counts(
    truth_ids: np.ndarray,
    truth: Sequence[Segment],
    predicted_ids: np.ndarray,
    predicted: Sequence[Segment],
    ratio: float | None = None,
) -> dict[Any, PanopticCounts]:
    """The counts of one image by class.

    Args:
        truth_ids, predicted_ids: (H, W) uint32.
        truth, predicted: segments with ``id`` and ``category_id``; those of the ground truth may be ``iscrowd``.
        ratio: for Boundary PQ: width of the band as a share of the diagonal. The IoU of a match is then the smaller of
            mask IoU and Boundary IoU.

    Raises:
        ValueError: images of different sizes.
        BPRError: ``iscrowd`` is neither 0 nor 1.
    """
    if truth_ids.shape != predicted_ids.shape:
        raise ValueError(f"panoptic ids: expected one size, got {truth_ids.shape} and {predicted_ids.shape}")
    truth = [{**segment, "iscrowd": is_crowd(segment, f"segment {segment['id']}")} for segment in truth]
    shared, truth_areas, predicted_areas = _areas(truth_ids, predicted_ids)
    truths, predictions = ({segment["id"]: segment for segment in side} for side in (truth, predicted))
    matches = {}
    for pair, pixels in shared.items():
        one, other = truths.get(pair[0]), predictions.get(pair[1])
        if not one or not other or one["iscrowd"] or one["category_id"] != other["category_id"]:
            continue
        # The part of a predicted segment that lies on void is left out of the union.
        iou = pixels / (truth_areas[pair[0]] + predicted_areas[pair[1]] - pixels - shared.get((VOID, pair[1]), 0))
        if iou > MATCH_IOU and ratio is not None:
            iou = min(iou, _band_iou(truth_ids, predicted_ids, pair, ratio))
        if iou > MATCH_IOU:
            matches[pair] = iou
    counts: dict[Any, PanopticCounts] = defaultdict(PanopticCounts)
    for (truth_id, _), iou in matches.items():
        counts[truths[truth_id]["category_id"]] += PanopticCounts(iou, 1)
    matched_ids = [{pair[side] for pair in matches} for side in (0, 1)]
    for segment in truth:
        if segment["id"] not in matched_ids[0] and not segment["iscrowd"]:
            counts[segment["category_id"]] += PanopticCounts(false_negative=1)
    crowds = {segment["category_id"]: segment["id"] for segment in truth if segment["iscrowd"]}
    for segment in predicted:
        if segment["id"] in matched_ids[1] or not predicted_areas.get(segment["id"]):
            continue
        crowd = crowds.get(segment["category_id"])
        ignored = shared.get((VOID, segment["id"]), 0) + shared.get((crowd, segment["id"]), 0)
        if ignored / predicted_areas[segment["id"]] <= IGNORED_SHARE:
            counts[segment["category_id"]] += PanopticCounts(false_positive=1)
    return dict(counts)


def _band_iou(truth_ids: np.ndarray, predicted_ids: np.ndarray, pair: tuple[int, int], ratio: float) -> float:
    """IoU of the bands of two segments; the part of the predicted one that lies on void is left out of the union."""
    masks = [BoxMask.from_frame(ids == number) for ids, number in zip((truth_ids, predicted_ids), pair, strict=True)]
    truth, predicted = (boundary_band(mask, boundary_width(mask.frame, ratio)) for mask in masks)
    counts = overlap(truth, predicted)
    x0, y0, x1, y1 = predicted.box
    on_void = int(np.count_nonzero(predicted.pixels & (truth_ids[y0:y1, x0:x1] == VOID)))
    return counts.intersection / (counts.union - on_void)


def _areas(truth_ids: np.ndarray, predicted_ids: np.ndarray) -> tuple[dict[Any, int], dict[int, int], dict[int, int]]:
    """Pixels by (true id, predicted id), by true id and by predicted id."""
    both, counts = np.unique((truth_ids.astype(np.uint64) << np.uint64(32)) | predicted_ids, return_counts=True)
    shared = {(int(pair) >> 32, int(pair) & 0xFFFFFFFF): int(count) for pair, count in zip(both, counts, strict=True)}
    sides: tuple[dict[int, int], dict[int, int]] = (defaultdict(int), defaultdict(int))
    for pair, count in shared.items():
        for side, number in zip(sides, pair, strict=True):
            side[number] += count
    return shared, *sides
