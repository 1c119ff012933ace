"""Imitate the coarse grid of a detector: average a mask into cells, interpolate it back, grow and shrink it.

Legend: h w pixels, cells of (x, y) pixels each, not necessarily whole.
"""

from __future__ import annotations

import cv2
import numpy as np


def to_cells(soft: np.ndarray, cell: float | tuple[float, float]) -> np.ndarray:
    """Mean of every cell of an (h, w) float32 mask; at least 2x2 cells. ``cell`` is one side or (x, y) in pixels.

    >>> to_cells(np.float32([[1, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]), 2.0)
    array([[1.  , 0.25],
           [0.  , 0.  ]], dtype=float32)
    """
    cell_x, cell_y = cell if isinstance(cell, tuple) else (cell, cell)
    height, width = soft.shape
    size = max(2, round(width / cell_x)), max(2, round(height / cell_y))
    return cv2.resize(soft, size, interpolation=cv2.INTER_AREA)


def from_cells(cells: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Cells interpolated (bilinear) back to ``shape = (h, w)`` pixels."""
    height, width = shape
    return cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR)


def signed_distance(mask: np.ndarray) -> np.ndarray:
    """(h, w) distance in pixels (chamfer, within 5%) from each pixel to the boundary of a mask, negative inside.

    Pixels with a distance below d are the mask grown by d pixels. In a mask without foreground or background, which has
    no boundary, all distances are huge.

    >>> (signed_distance(np.array([[0, 0, 0, 1, 1]])) < 1).astype(int)
    array([[0, 0, 1, 1, 1]])
    """
    inside = np.ascontiguousarray(mask, np.uint8)
    outward = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3) - cv2.distanceTransform(inside, cv2.DIST_L2, 3)
    return outward + np.where(inside > 0, 0.5, -0.5)
