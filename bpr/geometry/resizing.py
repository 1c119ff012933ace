"""Patches of any size, resized to the window and back.

Sampling reads only the pixels that it needs, as a square around a wide object may be far larger than its image.
Legend: S window side, H W frame, h w box.
"""

from __future__ import annotations

import numpy as np

from bpr.geometry.boxes import Box, grow
from bpr.geometry.masks import BoxMask


def sample_colours(image: np.ndarray, box: Box, side: int) -> np.ndarray:
    """(S, S, 3) uint8: ``box`` of an (H, W, 3) image resized to ``side``, bilinear; beyond the frame its edge is repeated.

    >>> image = np.repeat(np.uint8([[0, 100, 200, 40]]), 4, axis=0)[..., None].repeat(3, axis=2)
    >>> sample_colours(image, (0, 0, 4, 4), 2)[..., 0]
    array([[ 50, 120],
           [ 50, 120]], dtype=uint8)
    """
    x, x_next, right = _taps(_centres(box[0], box[2], side), image.shape[1])
    y, y_next, down = _taps(_centres(box[1], box[3], side), image.shape[0])
    right, down = right[:, None], down[:, None, None]
    upper = image[y[:, None], x] * (1 - right) + image[y[:, None], x_next] * right
    lower = image[y_next[:, None], x] * (1 - right) + image[y_next[:, None], x_next] * right
    return np.round(upper * (1 - down) + lower * down).astype(np.uint8)


def sample_mask(mask: BoxMask, box: Box, side: int) -> np.ndarray:
    """(S, S) bool: ``box`` of a mask resized to ``side``, the nearest pixel; beyond the frame its edge is repeated."""
    left, top, right, bottom = inside = grow(box, 0, mask.frame)
    rows = np.clip(np.floor(_centres(box[1], box[3], side) + 0.5).astype(int), top, bottom - 1) - top
    columns = np.clip(np.floor(_centres(box[0], box[2], side) + 0.5).astype(int), left, right - 1) - left
    return mask.window(inside)[rows[:, None], columns]


def interpolate(cells: np.ndarray, box: Box, part: Box) -> np.ndarray:
    """(h, w) float32: (n, n) cells that fill the square ``box``, bilinear, at the pixels of ``part``, which lies inside it.

    >>> interpolate(np.float32([[0, 1], [0, 1]]), (0, 0, 4, 4), (0, 1, 4, 2))
    array([[0.  , 0.25, 0.75, 1.  ]], dtype=float32)
    """
    cell = (box[2] - box[0]) / len(cells)
    y, y_next, down = _taps((np.arange(part[1], part[3]) + 0.5 - box[1]) / cell - 0.5, len(cells))
    x, x_next, right = _taps((np.arange(part[0], part[2]) + 0.5 - box[0]) / cell - 0.5, len(cells))
    down = down[:, None]
    rows = cells[y] * (1 - down) + cells[y_next] * down
    return rows[:, x] * (1 - right) + rows[:, x_next] * right


def _centres(start: int, stop: int, count: int) -> np.ndarray:
    """(count,) pixel positions of the centres of equal parts of ``start``..``stop``."""
    return start + (np.arange(count) + 0.5) * (stop - start) / count - 0.5


def _taps(positions: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n,) each: the pixels before and after every position, and the float32 weight of the latter; the edge is repeated."""
    positions = np.clip(positions, 0, length - 1)
    low = np.floor(positions).astype(int)
    return low, np.minimum(low + 1, length - 1), (positions - low).astype(np.float32)
