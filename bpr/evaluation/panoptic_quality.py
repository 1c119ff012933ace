"""Panoptic quality (CVPR 2019) by the definition of COCO's panopticapi, from counts per image and class.

Legend: H W image; ids are segment ids, VOID where there is no segment.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bpr.formats.panoptic import VOID

Segment = dict[str, Any]
MATCH = 0.5
"""A match has a larger IoU; so no segment has two."""
IGNORED = 0.5
"""A segment without a match is forgiven when more than this share of it lies on void and on crowds of its class."""


@dataclass(frozen=True)
class PanopticCounts:
    """One class: the summed IoU of the matches, matches, false positives, false negatives; sums of counts are counts."""

    iou: float = 0.0
    matched: int = 0
    false_positive: int = 0
    false_negative: int = 0

    def __add__(self, other: PanopticCounts) -> PanopticCounts:
        return PanopticCounts(
            self.iou + other.iou,
            self.matched + other.matched,
            self.false_positive + other.false_positive,
            self.false_negative + other.false_negative,
        )

    @property
    def weight(self) -> float:
        """Matches and half of all mistakes; 0 where the class does not occur."""
        return self.matched + (self.false_positive + self.false_negative) / 2


def panoptic_counts(
    truth_ids: np.ndarray, truth: Sequence[Segment], found_ids: np.ndarray, found: Sequence[Segment]
) -> dict[Any, PanopticCounts]:
    """Counts of one image by class.

    Args:
        truth_ids, found_ids: (H, W) uint32.
        truth, found: segments with ``id`` and ``category_id``; those of the truth may be ``iscrowd``.

    Raises:
        ValueError: images of different sizes.
    """
    if truth_ids.shape != found_ids.shape:
        raise ValueError(f"panoptic ids: expected one size, got {truth_ids.shape} and {found_ids.shape}")
    shared, truth_areas, found_areas = _areas(truth_ids, found_ids)
    truths, founds = ({item["id"]: item for item in side} for side in (truth, found))
    matches = _matches(shared, truth_areas, found_areas, truths, founds)
    counts: dict[Any, PanopticCounts] = defaultdict(PanopticCounts)
    for (truth_id, _), iou in matches.items():
        counts[truths[truth_id]["category_id"]] += PanopticCounts(iou, 1)
    taken = [{pair[side] for pair in matches} for side in (0, 1)]
    for item in truth:
        if item["id"] not in taken[0] and not item.get("iscrowd"):
            counts[item["category_id"]] += PanopticCounts(false_negative=1)
    crowds = {item["category_id"]: item["id"] for item in truth if item.get("iscrowd")}
    for item in found:
        if item["id"] in taken[1] or not found_areas.get(item["id"]):
            continue
        forgiven = shared.get((VOID, item["id"]), 0) + shared.get((crowds.get(item["category_id"]), item["id"]), 0)
        if forgiven / found_areas[item["id"]] <= IGNORED:
            counts[item["category_id"]] += PanopticCounts(false_positive=1)
    return dict(counts)


def _areas(truth_ids: np.ndarray, found_ids: np.ndarray) -> tuple[dict[Any, int], dict[int, int], dict[int, int]]:
    """Pixels by (truth id, found id), by truth id and by found id."""
    both, counts = np.unique((truth_ids.astype(np.uint64) << np.uint64(32)) | found_ids, return_counts=True)
    shared = {(int(pair) >> 32, int(pair) & 0xFFFFFFFF): int(count) for pair, count in zip(both, counts, strict=True)}
    sides: tuple[dict[int, int], dict[int, int]] = (defaultdict(int), defaultdict(int))
    for pair, count in shared.items():
        for side, number in zip(sides, pair, strict=True):
            side[number] += count
    return shared, *sides


def _matches(
    shared: dict[Any, int],
    truth_areas: dict[int, int],
    found_areas: dict[int, int],
    truths: dict[int, Segment],
    founds: dict[int, Segment],
) -> dict[tuple[int, int], float]:
    """IoU of every matched pair; what of a found segment lies on void does not count against it."""
    matches = {}
    for (truth_id, found_id), pixels in shared.items():
        truth, found = truths.get(truth_id), founds.get(found_id)
        if not truth or not found or truth.get("iscrowd") or truth["category_id"] != found["category_id"]:
            continue
        union = truth_areas[truth_id] + found_areas[found_id] - pixels - shared.get((VOID, found_id), 0)
        if pixels / union > MATCH:
            matches[truth_id, found_id] = pixels / union
    return matches
