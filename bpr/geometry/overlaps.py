"""Resolve overlaps of refined masks where the format forbids them: each pixel goes to the most probable segment.

Legend: N segments, H W frame, h w box.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from bpr.geometry.boxes import at, enclosing, grow
from bpr.geometry.masks import BoxMask

NO_SEGMENT = -1


def without_overlaps(coarse: Sequence[BoxMask], refined: Sequence[BoxMask], probabilities: Sequence[np.ndarray]) -> list[BoxMask]:
    """The N refined masks without overlap; none of them is empty unless its coarse mask was.

    A pixel that several segments claim goes to the most probable one. If they are equally probable, it goes to the one
    whose coarse mask begins farther up, so that the order of the segments does not matter.
    If refinement removes a pixel from its segment and no other segment claims it, the pixel becomes void, provided that
    the nearest pixel outside the segment is void. Otherwise it stays in its segment, so that no hole opens between two
    segments. A segment that would vanish keeps its coarse pixels.

    Args:
        coarse: N masks of one frame that do not overlap.
        refined: N masks.
        probabilities: N arrays (h, w), P(foreground) in the box of each refined mask.

    >>> a, b = (BoxMask.from_frame(np.array([row])) for row in ([1, 1, 0, 0], [0, 0, 1, 1]))
    >>> wider = BoxMask.from_frame(np.array([[1, 1, 1, 0]]))
    >>> probabilities = [np.full((1, 3), 0.9), np.full((1, 2), 0.6)]
    >>> [mask.to_frame().astype(int).tolist() for mask in without_overlaps([a, b], [wider, b], probabilities)]
    [[[1, 1, 1, 0]], [[0, 0, 0, 1]]]
    """
    if not refined:
        return []
    before = np.full(coarse[0].frame, NO_SEGMENT, np.int32)
    for index, mask in enumerate(coarse):
        mask.paint(before, index)
    after = _claimants(refined, probabilities, _from_above(before, len(coarse)))
    areas = [grow(enclosing(np.array([a.box, b.box])), 1, a.frame) for a, b in zip(coarse, refined, strict=True)]
    for index, area in enumerate(areas):
        give_back_unless_void(index, before[at(area)], after[at(area)])
    _give_back_vanished(coarse, after)
    segments = [BoxMask(after[at(area)] == index, *area[:2], coarse[0].frame) for index, area in enumerate(areas)]
    return [segment.trimmed() for segment in segments]


def _from_above(owners: np.ndarray, count: int) -> list[int]:
    """All indices, in the order of their first pixels; those without a pixel come last."""
    found, first = np.unique(owners, return_index=True)
    there = [index for index in found[np.argsort(first)].tolist() if index != NO_SEGMENT]
    return there + sorted(set(range(count)) - set(there))


def _claimants(masks: Sequence[BoxMask], probabilities: Sequence[np.ndarray], order: Sequence[int]) -> np.ndarray:
    """(H, W) int32: the index of the most probable mask that claims each pixel, of equal ones the first in an order."""
    claimants = np.full(masks[0].frame, NO_SEGMENT, np.int32)
    highest = np.zeros(masks[0].frame, np.float32)
    for index in order:
        mask, probability = masks[index], probabilities[index]
        place = at(mask.box)
        wins = mask.pixels & (probability > highest[place])
        highest[place][wins] = probability[wins]
        claimants[place][wins] = index
    return claimants


def give_back_unless_void(index: int, before: np.ndarray, after: np.ndarray) -> None:
    """Restore the unclaimed pixels of a segment, except those whose nearest pixel outside the segment is void."""
    segment = before == index
    removed = segment & (after == NO_SEGMENT)
    if not removed.any():
        return
    if segment.all():
        after[removed] = index
        return
    pixels = segment.astype(np.uint8)
    _, labels = cv2.distanceTransformWithLabels(pixels, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    void = np.zeros(labels.max() + 1, bool)
    void[labels[~segment]] = before[~segment] == NO_SEGMENT
    after[removed & ~void[labels]] = index


def _give_back_vanished(coarse: Sequence[BoxMask], after: np.ndarray) -> None:
    """Restore the coarse pixels of every segment that vanished. This can remove another segment, so repeat."""
    missing: list[int] | None = None
    while missing is None or missing:
        present = set(np.unique(after).tolist())
        missing = [index for index, mask in enumerate(coarse) if mask.pixels.any() and index not in present]
        for index in missing:
            coarse[index].paint(after, index)
