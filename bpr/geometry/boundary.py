"""Boundary pixels of a mask and their score (paper section 3.1)."""

from __future__ import annotations

import cv2
import numpy as np

from bpr.geometry.boxes import grow
from bpr.geometry.masks import BoxMask


def boundary_levels(mask: np.ndarray) -> np.ndarray:
    """Level 0..4 of every pixel of an (h, w) mask: min(s, 9 - s) of its 3x3 sum s.

    Level 0 is not on the boundary; the paper's score is level / 4.5. Beyond the array its border is repeated, so an
    object that is cut off by the frame has no boundary there.

    >>> mask = np.zeros((4, 5), np.uint8); mask[:, 3:] = 1
    >>> boundary_levels(mask)
    array([[0, 0, 3, 3, 0],
           [0, 0, 3, 3, 0],
           [0, 0, 3, 3, 0],
           [0, 0, 3, 3, 0]], dtype=uint8)
    """
    foreground = np.ascontiguousarray(mask, np.uint8)
    if not foreground.size:
        return foreground
    neighbours = cv2.boxFilter(foreground, cv2.CV_8U, (3, 3), normalize=False, borderType=cv2.BORDER_REPLICATE)
    return np.minimum(neighbours, 9 - neighbours)


def boundary_pixels(mask: BoxMask) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns, each (N,) in frame pixels, of all boundary pixels, the highest score first.

    The order is level descending, then row, then column. All of the package breaks ties in this order.
    """
    box = grow(mask.box, 1, mask.frame)
    levels = boundary_levels(mask.window(box))
    positions = np.flatnonzero(levels != 0)
    positions = positions[np.argsort(4 - levels.ravel()[positions], kind="stable")]
    rows, columns = np.divmod(positions, levels.shape[1] or 1)
    return rows + box[1], columns + box[0]
