"""What a verdict is based on: numbers about a coarse mask, the probabilities of the network, and the colours below them.

Legend: h w box around mask and patches, B bins, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from bpr.geometry.options import LEANINGS, PatchSpec
from bpr.geometry.patches import paste_colours
from bpr.geometry.reassembly import Blended

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
TENTHS = 10
"""Steps of probability; leanings are multiples of one."""
CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
FURTHEST = 20
"""Pixels at which a shift of the boundary is cut off."""


class Description(NamedTuple):
    """What a verdict on one mask is based on.

    Attributes:
        values: (F,) float32 features.
        area: pixels of the coarse mask.
        length: pixels of the coarse boundary.
        moved_px: for each of LEANINGS, changed pixels per pixel of boundary, which is how far the boundary would move.
    """

    values: np.ndarray
    area: int
    length: int
    moved_px: list[float]


def describe_blended(blended: Blended, patches: np.ndarray, spec: PatchSpec) -> Description:
    """Describe one instance, which has patches.

    Args:
        patches: (K, S, S, C) uint8, those of ``blended``.
    """
    near = blended.near(REACH)  # what lies further away is not looked at
    colours = paste_colours(patches, near.boxes, spec, near.box)
    return describe(near.coarse, near.probability(), near.covered, colours)


def describe(coarse: np.ndarray, probability: np.ndarray, covered: np.ndarray, colours: np.ndarray) -> Description:
    """Describe one mask. All arrays cover one box, ``REACH`` pixels around the coarse and the refined mask as far as there are.

    Args:
        coarse: (h, w) bool, with foreground.
        probability: (h, w) float32 mean P of the patches; the coarse 0 or 1 where no patch lies.
        covered: (h, w) bool: where patches lie.
        colours: (h, w, 3) uint8 RGB, of any value where no patch lies.
    """
    area, refined = np.count_nonzero(coarse), probability > 0.5
    distance, outline = _signed_distance(coarse)
    moved, new_outline = _signed_distance(refined) if refined.any() else (distance, outline)
    length, new_length = (max(np.count_nonzero(there), 1) for there in (outline, new_outline))
    gradient = _gradient(colours)
    changes, moved_px = _changes(coarse, probability, area, length)
    values = [np.log(np.sqrt(area)), length / np.sqrt(area), np.log(new_length / length)]
    near = np.flatnonzero(covered & (np.abs(moved) < GRADIENT_BINS[-1]))
    values += _profiles(distance, probability, gradient, covered) + _relative(_fine_bins(moved.ravel()[near]), gradient.ravel()[near])
    values += changes
    values += _shifts(moved[outline]) + _shifts(distance[new_outline])
    values += _lost_detail(coarse, length) + _lost_detail(refined, new_length) + _straightness(coarse)
    return Description(np.array(values, np.float32), area, length, moved_px)


def _signed_distance(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) float32 distance to the outline, negative inside, and (h, w) bool: the innermost pixels of the outline."""
    pixels = mask.view(np.uint8)
    inner: np.ndarray = pixels - cv2.erode(pixels, CROSS, borderType=cv2.BORDER_CONSTANT, borderValue=1)
    if not inner.any():  # the mask fills its frame
        return np.full(mask.shape, -np.inf, np.float32), inner.view(bool)
    outer = np.uint8(1) - inner
    to_inner = cv2.distanceTransform(outer, cv2.DIST_L2, 3)
    return to_inner * (1 - 2 * pixels.astype(np.float32)) - np.float32(0.5), inner.view(bool)


def _profiles(
    distance: np.ndarray, probability: np.ndarray, gradient: np.ndarray, covered: np.ndarray
) -> list[float]:
    """Across the coarse boundary: the mean of P, of P (1 - P), which is high where the network is unsure, and the gradient."""
    near = np.flatnonzero(covered & (np.abs(distance) < REACH))
    bins, p = _fine_bins(distance.ravel()[near]), probability.ravel()[near]
    counts, sums, doubts = (_binned(bins, weights, PROBABILITY_BINS) for weights in (None, p, p * (1 - p)))
    inside = np.array(PROBABILITY_BINS[:-1]) < 0
    profile = [*((sums + inside) / (counts + 1)), *(doubts / (counts + 1))]
    return profile + _relative(bins, gradient.ravel()[near])


def _relative(bins: np.ndarray, gradient: np.ndarray) -> list[float]:
    """The gradient at some distances, relative to its mean over them, and the logarithm of that mean."""
    counts, sums = (_binned(bins, weights, GRADIENT_BINS) for weights in (None, gradient))
    mean = float(sums.sum()) / max(float(counts.sum()), 1) + 1
    return [*((sums + mean) / (counts + 1) / mean), np.log(mean)]


def _changes(
    coarse: np.ndarray, probability: np.ndarray, area: int, length: int
) -> tuple[list[float], list[float]]:
    """At every caution: pixels changed and gained, and the change of IoU if P were right; and how far all leanings move."""
    wrong = cv2.absdiff(probability, coarse.astype(np.float32)).ravel()
    doubtful = np.flatnonzero(wrong > 1 / TENTHS)
    of_mask = coarse.ravel()[doubtful]
    lost, gained = (_tail(wrong[doubtful[those]]) for those in (of_mask, ~of_mask))
    inside, outside = area - lost[2], gained[2]
    before = inside / max(area + outside, 1)
    values, moved_px = [], []
    for mine, other in LEANINGS:
        step_in, step_out = round((0.5 + mine) * TENTHS), round((0.5 - other) * TENTHS)
        n_lost, n_gained = lost[0][step_in], gained[0][step_out]
        moved_px.append(float(n_lost + n_gained) / length)
        if mine == -other and mine >= 0:
            common = inside - (n_lost - lost[1][step_in]) + gained[1][step_out]
            after = common / max(area - n_lost + n_gained + inside + outside - common, 1)
            ratio = np.log1p(n_lost + n_gained) - np.log(area)
            values += [moved_px[-1], (n_gained - n_lost) / length, ratio, 100 * (after - before)]
    return values, moved_px


def _tail(wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Of pixels with the probability that their coarse value is wrong: those above each tenth.

    Returns:
        (10,) how many, (10,) the sum of their probabilities, and the sum over all pixels.
    """
    steps = np.minimum((wrong * TENTHS).astype(np.int32), TENTHS - 1)
    counts, sums = np.bincount(steps, minlength=TENTHS), np.bincount(steps, wrong, TENTHS)
    tails = [np.cumsum(of[::-1])[::-1] for of in (counts, sums)]
    return tails[0], tails[1], float(sums.sum())


def _shifts(signed: np.ndarray) -> list[float]:
    """How far, and how evenly, one boundary lies from another, given its pixels' distances to it."""
    shifts = np.clip(signed + 0.5, -FURTHEST, FURTHEST) if signed.size else np.zeros(1, np.float32)
    sizes = np.abs(shifts)
    within = [np.count_nonzero(sizes <= limit) / sizes.size for limit in (1, 2, 4)]
    return [shifts.mean(), sizes.mean(), shifts.std(), *within]


def _lost_detail(mask: np.ndarray, length: int) -> list[float]:
    """Pixels per pixel of outline that change when the mask is blurred: masks of coarse grids lose little."""
    pixels = mask.view(np.uint8) * np.uint8(255)
    return [np.count_nonzero((cv2.blur(pixels, (side, side)) > 127) != mask) / length for side in BLURS]


def _gradient(colours: np.ndarray) -> np.ndarray:
    """(h, w) uint8: how strongly the brightness changes."""
    grey = cv2.GaussianBlur(cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY), (5, 5), 1)
    across, down = (cv2.convertScaleAbs(cv2.Sobel(grey, cv2.CV_16S, 1 - axis, axis)) for axis in (0, 1))
    return cv2.add(across, down)


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
