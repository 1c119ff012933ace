"""Spend a budget of patches where boundaries of likely objects are least to be trusted, and not twice on the same place.

Legend: N instances of one image, K patches of an instance, h w area around them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bpr.geometry.boxes import Box, enclosing, grow
from bpr.geometry.doubt import boundary_doubt
from bpr.geometry.masks import BoxMask
from bpr.geometry.scheme import PatchScheme

SEEN = 0.1
"""What is left of the doubt of a pixel with every patch that is spent on it."""


def select_boxes(
    image: np.ndarray, masks: Sequence[BoxMask], scores: Sequence[float], boxes: Sequence[np.ndarray], scheme: PatchScheme
) -> list[np.ndarray]:
    """Of every instance's (K, 4) patch boxes those that the scheme's budget for an image is spent on, in their order.

    Args:
        scores: of the detections: an instance's doubt counts as much as it is likely to be there at all.
    """
    count = sum(len(own) for own in boxes)
    budget = scheme.budget(count)
    if budget >= count:
        return list(boxes)
    areas = [patch_area(mask, own) for mask, own in zip(masks, boxes, strict=True)]
    doubts = [np.float32(score) * boundary_doubt(image, mask, area) for mask, score, area in zip(masks, scores, areas, strict=True)]
    return [own[kept] for own, kept in zip(boxes, spend(doubts, areas, boxes, budget), strict=True)]


def patch_area(mask: BoxMask, boxes: np.ndarray) -> Box:
    """The box around an instance's patches, cut at the frame; empty without patches."""
    return grow(enclosing(boxes), 0, mask.frame) if len(boxes) else (0, 0, 0, 0)


def spend(
    doubts: Sequence[np.ndarray], areas: Sequence[Box], boxes: Sequence[np.ndarray], budget: int, seen: float = SEEN
) -> list[np.ndarray]:
    """(K,) bool of every instance: the patches that ``budget`` is spent on.

    One patch after the other, the one that holds the most doubt; the doubt it holds is then multiplied by ``seen``, so
    patches that overlap it come later. Of equals the first instance's first patch is taken.

    Args:
        doubts: (h, w) float32 of every instance, in its area.
        areas: box around every instance's patches.
        seen: 1 ranks the patches by the doubt that each holds alone.

    >>> doubt, boxes = np.ones((1, 8), np.float32), np.array([[0, 0, 4, 1], [2, 0, 6, 1], [4, 0, 8, 1]])
    >>> spend([doubt], [(0, 0, 8, 1)], [boxes], 2)[0].tolist()
    [True, False, True]
    """
    left = [doubt.copy() for doubt in doubts]
    owners = np.repeat(np.arange(len(boxes)), [len(own) for own in boxes])
    local = np.concatenate([own - np.tile(area[:2], 2) for own, area in zip(boxes, areas, strict=True)])
    places = [left[owner][y0:y1, x0:x1] for owner, (x0, y0, x1, y1) in zip(owners.tolist(), local.tolist(), strict=True)]
    held = np.array([_total(place) for place in places])
    for _ in range(budget):
        best = int(held.argmax())
        places[best] *= seen
        held[best] = -np.inf
        overlapping = (local[:, :2] < local[best, 2:]).all(axis=1) & (local[:, 2:] > local[best, :2]).all(axis=1)
        for patch in np.flatnonzero(overlapping & (owners == owners[best]) & (held > -np.inf)):
            held[patch] = _total(places[patch])
    return np.split(held == -np.inf, np.cumsum([len(own) for own in boxes])[:-1])


def _total(place: np.ndarray) -> float:
    return float(place.sum(dtype=np.float64))
