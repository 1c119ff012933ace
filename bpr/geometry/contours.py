"""A mask as one closed line along its pixels' edges."""

from __future__ import annotations

import cv2
import numpy as np

from bpr.geometry.masks import BoxMask


def outline(mask: BoxMask) -> np.ndarray:
    """(n, 2) int corners x, y of one ring that fills to exactly ``mask``; n = 0 when the mask is empty.

    Further parts and holes are connected to the ring by bridges without width: two lines in the same place.

    >>> outline(BoxMask.from_frame(np.array([[0, 1, 1, 0]]))).tolist()
    [[1, 0], [1, 1], [3, 1], [3, 0]]
    """
    # A contour runs through pixel centres. At twice the size every pixel has two centres per side, one for each edge.
    doubled = mask.pixels.astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    contours, _ = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE) if doubled.size else ((), None)
    corner = np.array([mask.left, mask.top])
    rings = [_without_repeats((contour[:, 0] + 1) // 2) + corner for contour in contours]
    if not rings:
        return np.empty((0, 2), int)
    whole = rings[0]
    for ring in rings[1:]:
        whole = _bridged(whole, ring)
    return whole


def _without_repeats(ring: np.ndarray) -> np.ndarray:
    return ring[(ring != np.roll(ring, 1, axis=0)).any(axis=1)]


def _bridged(ring: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Both rings as one, joined where they are nearest."""
    distances = np.square(ring[:, None] - other[None]).sum(axis=2)
    here, there = np.unravel_index(distances.argmin(), distances.shape)
    return np.concatenate([ring[: here + 1], other[there:], other[: there + 1], ring[here:]])
