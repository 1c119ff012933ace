"""What a verdict is based on: numbers about a coarse mask, the probabilities of the network, and the colours below them.

Legend: h w box around mask and patches, B bins, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from bpr.geometry.coarse_grid import signed_distance
from bpr.geometry.options import CAUTIONS

FEATURES = 81
"""F."""
REACH = 12
"""Pixels from the boundary, to either side, within which features are measured."""
HALVES = 2
"""Fine bins per pixel of distance."""
PROBABILITY_BINS = (-12, -6, -3.5, -2, -1, 0, 1, 2, 3.5, 6, 12)
"""Signed distances in pixels, negative inside, between which the mean probability is taken."""
GRADIENT_BINS = (-6, -3.5, -2, -1, 0, 1, 2, 3.5, 6)
BLURS = (3, 7, 13)
"""Sides in pixels of the box blurs that tell how much fine detail an outline has."""
FURTHEST = 20
"""Pixels at which a shift of the boundary is cut off."""


class Description(NamedTuple):
    """What a verdict on one mask is based on.

    Attributes:
        values: (F,) float32 features.
        length: pixels of the coarse boundary.
        moved_px: for each of CAUTIONS, changed pixels per pixel of boundary, which is how far the boundary would move.
    """

    values: np.ndarray
    length: int
    moved_px: list[float]


def describe(coarse: np.ndarray, probability: np.ndarray, covered: np.ndarray, colours: np.ndarray) -> Description:
    """Describe one mask. All arrays cover the same box.

    Args:
        coarse: (h, w) bool, with foreground.
        probability: (h, w) float32 mean P of the patches; the coarse 0 or 1 where no patch lies.
        covered: (h, w) bool: where patches lie.
        colours: (h, w, 3) uint8 RGB, of any value where no patch lies.
    """
    left, top, width, height = cv2.boundingRect((coarse | (probability > 0.5)).view(np.uint8))
    near = np.s_[max(top - REACH, 0) : top + height + REACH, max(left - REACH, 0) : left + width + REACH]
    coarse, probability, covered, colours = (np.ascontiguousarray(of[near]) for of in (coarse, probability, covered, colours))
    area, refined = np.count_nonzero(coarse), probability > 0.5
    distance = signed_distance(coarse)
    moved = signed_distance(refined) if refined.any() else distance
    outline, new_outline = ((there > -1.01) & (there < 0) for there in (distance, moved))
    length, new_length = (max(np.count_nonzero(there), 1) for there in (outline, new_outline))
    gradient = _gradient(colours)
    values = [np.log(np.sqrt(area)), length / np.sqrt(area), np.log(new_length / length)]
    values += _profiles(distance, probability, covered)
    changes, moved_px = _changes(coarse, probability, area, length)
    values += changes
    values += _shifts(moved[outline]) + _shifts(distance[new_outline])
    values += _lost_detail(coarse, length) + _lost_detail(refined, new_length)
    for there in (distance, moved):
        values += _gradient_profile(there, gradient, covered)
    values += _straightness(coarse)
    return Description(np.array(values, np.float32), length, moved_px)


def _profiles(distance: np.ndarray, probability: np.ndarray, covered: np.ndarray) -> list[float]:
    """Across the coarse boundary: the mean of P, and of P (1 - P), which is high where the network is unsure."""
    near = np.flatnonzero(covered & (np.abs(distance) < REACH))
    p = probability.ravel()[near]
    bins = _fine_bins(distance.ravel()[near])
    counts, sums, doubts = (_binned(bins, weights, PROBABILITY_BINS) for weights in (None, p, p * (1 - p)))
    inside = np.array(PROBABILITY_BINS[:-1]) < 0
    return [*((sums + inside) / (counts + 1)), *(doubts / (counts + 1))]


def _changes(
    coarse: np.ndarray, probability: np.ndarray, area: int, length: int
) -> tuple[list[float], list[float]]:
    """At every caution: pixels changed and pixels gained, and the change of IoU if P were right; and how far it moves."""
    inside, outside = probability[coarse], probability[~coarse]
    outside = outside[outside > 0]
    total = float(inside.sum() + outside.sum())
    before = float(inside.sum()) / max(area + float(outside.sum()), 1)
    values, moved_px = [], []
    for caution in CAUTIONS:
        lost, gained = inside <= 0.5 - caution, outside > 0.5 + caution
        n_lost, n_gained = np.count_nonzero(lost), np.count_nonzero(gained)
        common = float(inside.sum() - inside[lost].sum() + outside[gained].sum())
        after = common / max(area - n_lost + n_gained + total - common, 1)
        changed = n_lost + n_gained
        moved_px.append(changed / length)
        values += [moved_px[-1], (n_gained - n_lost) / length, np.log1p(changed) - np.log(area), 100 * (after - before)]
    return values, moved_px


def _shifts(signed: np.ndarray) -> list[float]:
    """How far, and how evenly, one boundary lies from another, given its pixels' distances to it."""
    shifts = np.clip(signed + 0.5, -FURTHEST, FURTHEST) if signed.size else np.zeros(1)
    sizes = np.abs(shifts)
    within = [np.count_nonzero(sizes <= limit) / sizes.size for limit in (1, 2, 4)]
    return [shifts.mean(), sizes.mean(), shifts.std(), *within]


def _lost_detail(mask: np.ndarray, length: int) -> list[float]:
    """Pixels per pixel of outline that change when the mask is blurred: masks of coarse grids lose little."""
    pixels = mask.view(np.uint8) * np.uint8(255)
    return [np.count_nonzero((cv2.blur(pixels, (side, side)) > 127) != mask) / length for side in BLURS]


def _gradient(colours: np.ndarray) -> np.ndarray:
    """(h, w) float32: how strongly the brightness changes."""
    grey = cv2.GaussianBlur(cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY), (0, 0), 1)
    return cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))


def _gradient_profile(distance: np.ndarray, gradient: np.ndarray, covered: np.ndarray) -> list[float]:
    """The gradient across a boundary, relative to its mean there, and the logarithm of that mean."""
    near = np.flatnonzero(covered & (np.abs(distance) < GRADIENT_BINS[-1]))
    strength, bins = gradient.ravel()[near], _fine_bins(distance.ravel()[near])
    mean = (float(strength.mean()) if near.size else 0.0) + 1
    counts, sums = (_binned(bins, weights, GRADIENT_BINS) for weights in (None, strength))
    return [*((sums + mean) / (counts + 1) / mean), np.log(mean)]


def _straightness(mask: np.ndarray) -> list[float]:
    """How much of the sides of its box a mask touches, the most and the mean: a mask cut at a box touches much."""
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    tight = mask[top : top + height, left : left + width]
    touched = [tight[0].mean(), tight[-1].mean(), tight[:, 0].mean(), tight[:, -1].mean()]
    return [max(touched), float(np.mean(touched))]


def _fine_bins(distance: np.ndarray) -> np.ndarray:
    return ((distance + REACH) * HALVES).astype(np.int32)


def _binned(bins: np.ndarray, weights: np.ndarray | None, edges: Sequence[float]) -> np.ndarray:
    """(B,) sums of the weights, or counts, between the edges."""
    fine = np.bincount(bins, weights, 2 * REACH * HALVES)
    starts = ((np.array(edges) + REACH) * HALVES).astype(int)
    return np.add.reduceat(np.append(fine, 0), starts)[:-1]
