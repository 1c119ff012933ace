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
    whole = np.empty((0, 2), int)
    for contour in contours:
        corners = (contour[:, 0] + 1) // 2
        ring = corners[(corners != np.roll(corners, 1, axis=0)).any(axis=1)] + (mask.left, mask.top)
        if len(whole):  # join both rings where they are nearest
            distances = np.square(whole[:, None] - ring[None]).sum(axis=2)
            here, there = np.unravel_index(distances.argmin(), distances.shape)
            ring = np.concatenate([whole[: here + 1], ring[there:], ring[: there + 1], whole[here:]])
        whole = ring
    return whole
