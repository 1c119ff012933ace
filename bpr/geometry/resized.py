"""Patches of any size, seen at the side of the window: sample down, interpolate back.

Sampling touches only the pixels that it needs: a square around a wide object may be far larger than its image.
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
    x, x_next, right = _neighbours(box[0], box[2], image.shape[1], side)
    y, y_next, down = _neighbours(box[1], box[3], image.shape[0], side)
    right = right[:, None]
    upper = image[y[:, None], x] * (1 - right) + image[y[:, None], x_next] * right
    lower = image[y_next[:, None], x] * (1 - right) + image[y_next[:, None], x_next] * right
    down = down[:, None, None]
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
    rows, columns = (
        np.clip((np.arange(low, high) + 0.5 - start) / cell - 0.5, 0, len(cells) - 1)
        for low, high, start in ((part[1], part[3], box[1]), (part[0], part[2], box[0]))
    )
    return _weights(rows, len(cells)) @ cells.astype(np.float32) @ _weights(columns, len(cells)).T


def _weights(positions: np.ndarray, count: int) -> np.ndarray:
    """(n, count) float32: how much of each cell a position sees, the two nearest only."""
    return np.maximum(0, 1 - np.abs(positions[:, None] - np.arange(count))).astype(np.float32)


def _centres(start: int, stop: int, count: int) -> np.ndarray:
    """(count,) pixel positions of the centres of equal parts of ``start``..``stop``."""
    return start + (np.arange(count) + 0.5) * (stop - start) / count - 0.5


def _neighbours(start: int, stop: int, length: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(count,) each: the pixels before and after every centre, and the weight of the latter."""
    positions = np.clip(_centres(start, stop, count), 0, length - 1)
    low = np.floor(positions).astype(int)
    return low, np.minimum(low + 1, length - 1), positions - low
