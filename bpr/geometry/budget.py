"""Spend a budget of patches where boundaries of likely objects look worst, and avoid overlapping patches.

Legend: N instances of one image, K patches of an instance, H W frame, h w area around them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from bpr.geometry.boundary import boundary_levels
from bpr.geometry.boxes import Box, at, enclosing, grow
from bpr.geometry.masks import BoxMask

LEFT_BY_A_PATCH = 0.1
"""A chosen patch multiplies the signal of its pixels by this factor, so that patches that overlap it come later."""
BLUR = 1.0
"""Standard deviation, in pixels, of the blur before edges are measured."""
NEARBY = 5
"""Pixels, along either axis, within which the strongest edge is searched."""
FAINT = 10.0
"""Edges much weaker than this (Sobel of 8-bit colours) are noise and do not lower the signal."""


def select_boxes(
    image: np.ndarray,
    masks: Sequence[BoxMask],
    scores: Sequence[float],
    boxes: Sequence[np.ndarray],
    budget: int,
    signal: str,
) -> list[np.ndarray]:
    """The (K, 4) patch boxes of every instance that the budget of an image allows, in their order.

    Args:
        image: (H, W, 3) uint8 RGB.
        scores: of the detections; the signal of an unlikely instance counts less.
        budget: how many patches are used.
        signal: a name of :data:`SIGNALS`.
    """
    if budget >= sum(len(those) for those in boxes):
        return list(boxes)
    pairs = zip(masks, boxes, strict=True)
    areas = [grow(enclosing(those), 0, mask.frame) if len(those) else (0, 0, 0, 0) for mask, those in pairs]
    parts = zip(masks, scores, areas, strict=True)
    signals = [np.float32(score) * SIGNALS[signal](image, mask, area) for mask, score, area in parts]
    chosen = choose_patches(signals, areas, boxes, budget)
    return [those[used] for those, used in zip(boxes, chosen, strict=True)]


def choose_patches(
    signals: Sequence[np.ndarray], areas: Sequence[Box], boxes: Sequence[np.ndarray], budget: int
) -> list[np.ndarray]:
    """(K,) bool of every instance: which of its patches are used.

    Patches are taken one after the other, each time the one with the largest sum of the signal, on a tie the first. The
    signal of its pixels is then multiplied by LEFT_BY_A_PATCH.

    Args:
        signals: (h, w) float32 of every instance, in its area.
        areas: the box around the patches of every instance.

    >>> signal, boxes = np.ones((1, 8), np.float32), np.array([[0, 0, 4, 1], [2, 0, 6, 1], [4, 0, 8, 1]])
    >>> choose_patches([signal], [(0, 0, 8, 1)], [boxes], 2)[0].tolist()
    [True, False, True]
    """
    remaining = [signal.copy() for signal in signals]
    counts = [len(those) for those in boxes]
    owners = np.repeat(np.arange(len(boxes)), counts)
    ends = np.cumsum(counts)
    local = np.concatenate([those - np.tile(area[:2], 2) for those, area in zip(boxes, areas, strict=True)])
    places = zip(owners.tolist(), local.tolist(), strict=True)
    views = [remaining[owner][y0:y1, x0:x1] for owner, (x0, y0, x1, y1) in places]
    sums = np.array([float(view.sum(dtype=np.float64)) for view in views])
    outdated = np.zeros(len(views), bool)
    for _ in range(budget):
        # Sums only fall, so an outdated one is an upper bound: it is renewed only once it is the largest.
        while outdated[best := int(sums.argmax())]:
            sums[best], outdated[best] = float(views[best].sum(dtype=np.float64)), False
        views[best] *= LEFT_BY_A_PATCH
        sums[best] = -np.inf
        own = slice(ends[owners[best]] - counts[owners[best]], ends[owners[best]])
        x0, y0, x1, y1 = local[own].T
        left, top, right, bottom = local[best].tolist()
        outdated[own] |= (x0 < right) & (y0 < bottom) & (x1 > left) & (y1 > top)
        outdated[best] = False
    return np.split(sums == -np.inf, ends[:-1])


def off_edge(image: np.ndarray, mask: BoxMask, area: Box) -> np.ndarray:
    """(h, w) float32: how poorly every boundary pixel fits the strongest edge nearby; 0 off the boundary.

    It is 0 on the strongest edge within ``NEARBY`` pixels and almost 1 far from it or without an edge. The sum is
    divided by the length of the boundary, so that long and short boundaries count alike.

    Args:
        image: (H, W, 3) uint8 RGB.
        area: a box inside the frame.

    >>> image = np.zeros((40, 40, 3), np.uint8); image[:, 20:] = 200
    >>> on, off = np.zeros((2, 40, 40), bool); on[:, 20:] = True; off[:, 24:] = True
    >>> [round(float(off_edge(image, BoxMask.from_frame(mask), (0, 0, 40, 40)).sum()), 1) for mask in (on, off)]
    [0.0, 1.0]
    """
    boundary = boundary_levels(mask.window(area)) > 0
    if not boundary.any():
        return boundary.astype(np.float32)
    smooth = cv2.GaussianBlur(image[at(area)], (0, 0), BLUR)
    gradient = cv2.magnitude(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    strength = np.maximum(np.maximum(gradient[..., 0], gradient[..., 1]), gradient[..., 2])
    strongest = cv2.dilate(strength, np.ones((2 * NEARBY + 1, 2 * NEARBY + 1), np.uint8))
    signal = boundary * (1 - strength / (strongest + FAINT))
    return (signal / np.count_nonzero(boundary)).astype(np.float32)


SIGNALS: dict[str, Callable[[np.ndarray, BoxMask, Box], np.ndarray]] = {"off_edge": off_edge}
"""Signals by name: (h, w) float32 of an image, a coarse mask and an area. Patches with a large sum are used first."""
