"""Greedy non-maximum suppression of squares of one size, in time that is linear in the length of the boundary."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

STRIDE = 256


def suppress_squares(rows: np.ndarray, columns: np.ndarray, side: int, iou: float) -> np.ndarray:
    """The indices, in order, of the squares that greedy non-maximum suppression keeps.

    The squares are centred on N pixels given by ``rows`` and ``columns``, the best first. Two squares at offset (dx, dy)
    share (side - |dx|)(side - |dy|) pixels, and exclude each other when their IoU is larger than ``iou``. As only the
    offset matters, every kept square marks the pixels that it excludes on a canvas, and a square is kept when its pixel
    is not marked.

    >>> suppress_squares(np.zeros(5, int), np.array([0, 1, 2, 3, 4]), side=4, iou=0.25).tolist()
    [0, 3]
    """
    if not len(rows):
        return np.zeros(0, np.intp)
    reach = side - 1
    rows, columns = rows - rows.min(), columns - columns.min()
    width = int(columns.max()) + 2 * reach + 1
    canvas = np.zeros((int(rows.max()) + 2 * reach + 1, width), np.uint8)
    flat, stamp = canvas.ravel(), _excluded_offsets(side, iou)
    kept, index = [], 0
    centres = (rows + reach) * width + columns + reach
    while index < len(centres):
        # Most squares are excluded, so the next unmarked one is searched in strides and not one by one.
        ahead = flat[centres[index : index + STRIDE]]
        first = int(ahead.argmin())
        if ahead[first]:
            index += STRIDE
        else:
            index += first
            kept.append(index)
            top, left = divmod(int(centres[index]), width)
            canvas[top - reach : top + reach + 1, left - reach : left + reach + 1] |= stamp
            index += 1
    return np.array(kept, np.intp)


@lru_cache(maxsize=16)
def exclusion_reach(side: int, iou: float) -> np.ndarray:
    """(side,) int64: how far left and right a square excludes others at every vertical offset; -1: it excludes none.

    >>> exclusion_reach(4, 0.25).tolist()
    [2, 1, 0, -1]
    """
    return (_excluded_offsets(side, iou)[side - 1 :].sum(axis=1, dtype=np.int64) - 1) // 2


@lru_cache(maxsize=16)
def _excluded_offsets(side: int, iou: float) -> np.ndarray:
    """(2 side - 1, 2 side - 1) uint8: 1 at the offsets from the centre where another square is excluded, and at 0."""
    shared = side - np.abs(np.arange(1 - side, side))
    excluded = np.multiply.outer(shared, shared) * (1 + iou) > 2 * side * side * iou
    excluded[side - 1, side - 1] = True
    return excluded.astype(np.uint8)
