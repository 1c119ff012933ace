"""Where the patches of an instance lie: squares on its boundary (paper section 3.1, supplement section B).

Legend: K patches, H W frame, R C rows and columns of a grid of cells.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from bpr.compiled import kernels
from bpr.geometry.boundary import boundary_pixels
from bpr.geometry.boxes import squares_inside
from bpr.geometry.masks import BoxMask

CONTEXT = 0.1
"""How far the square around an instance extends beyond its box, as a share of the box's longer side."""
SMALLEST = 8
"""The side in pixels of the smallest square around an instance."""
STRIDE = 256
"""Squares among which suppression searches the next one that is not excluded."""


def dense_boxes(mask: BoxMask, side: int, nms_iou: float, cover_margin: int) -> np.ndarray:
    """(K, 4) int32 boxes that together cover every boundary pixel of ``mask``; K = 0 without a boundary.

    There is one square on every boundary pixel at first. Greedy suppression keeps the best of them, they are shifted
    into the frame, and pixels that the suppression left uncovered get additional squares.
    """
    rows, columns = boundary_pixels(mask)
    if compiled := kernels():
        reach = exclusion_reach(side, nms_iou)
        return compiled.covering_squares(rows, columns, side, reach, cover_margin, *mask.frame)
    boxes, chosen = [np.empty((0, 4), np.int32)], suppress_squares(rows, columns, side, nms_iou)
    while rows.size:
        boxes.append(squares_inside(rows[chosen], columns[chosen], side, mask.frame))
        bare = ~_covered(rows, columns, boxes[-1], cover_margin, mask.frame)
        rows, columns, chosen = rows[bare], columns[bare], np.zeros(1, np.intp)
    return np.concatenate(boxes)


def suppress_squares(rows: np.ndarray, columns: np.ndarray, side: int, iou: float) -> np.ndarray:
    """The indices, in order, of the squares that greedy non-maximum suppression keeps, in time linear in their number.

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


def _covered(rows: np.ndarray, columns: np.ndarray, boxes: np.ndarray, margin: int, frame: tuple[int, int]) -> np.ndarray:
    """(N,) bool: whether a box covers the pixel, ``margin`` pixels or more from each side inside the frame."""
    height, width = frame
    left, top = int(columns.min()), int(rows.min())
    canvas = np.zeros((int(rows.max()) - top + 1, int(columns.max()) - left + 1), bool)
    for x0, y0, x1, y1 in boxes.tolist():
        x0, x1 = x0 + margin * (x0 > 0), x1 - margin * (x1 < width)
        y0, y1 = y0 + margin * (y0 > 0), y1 - margin * (y1 < height)
        canvas[max(y0 - top, 0) : max(y1 - top, 0), max(x0 - left, 0) : max(x1 - left, 0)] = True
    return canvas[rows - top, columns - left]


def grid_boxes(mask: BoxMask, side: int, nms_iou: float, cover_margin: int) -> np.ndarray:
    """(K, 4) int32 cells of a fixed grid over the frame that hold both foreground and background, row by row.

    The last row and column are shifted inside, so they overlap their neighbours where the side does not divide the
    frame. A boundary that runs exactly between two cells lies in neither of them.
    """
    left, top, right, bottom = mask.box
    columns = _cell_starts(mask.frame[1], side, left, right)
    rows = _cell_starts(mask.frame[0], side, top, bottom)
    if not rows.size or not columns.size:
        return np.empty((0, 4), np.int32)
    x0, y0 = (grid.ravel() for grid in np.meshgrid(columns, rows))
    boxes = np.stack([x0, y0, x0 + side, y0 + side], axis=1).astype(np.int32)
    foreground, pixels = _counts(mask, boxes)
    return boxes[(foreground > 0) & (foreground < pixels)]


def _cell_starts(length: int, side: int, start: int, stop: int) -> np.ndarray:
    """First pixels of the cells along one side of the frame that reach into ``start``..``stop``."""
    starts = np.minimum(np.arange(0, length, side), max(length - side, 0))
    return starts[(starts < stop) & (starts + side > start)]


def _counts(mask: BoxMask, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(K,) foreground pixels and (K,) pixels of the frame in every box."""
    left, top, right, bottom = mask.box
    height, width = mask.frame
    sums = cv2.integral(mask.pixels.view(np.uint8))
    x0, x1 = (np.clip(boxes[:, i], left, right) - left for i in (0, 2))
    y0, y1 = (np.clip(boxes[:, i], top, bottom) - top for i in (1, 3))
    pixels = (np.minimum(boxes[:, 2], width) - boxes[:, 0]) * (np.minimum(boxes[:, 3], height) - boxes[:, 1])
    return sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0], pixels


def instance_boxes(mask: BoxMask, side: int, nms_iou: float, cover_margin: int) -> np.ndarray:
    """(1, 4) int32: one square around the mask's box and a little context, shifted inside the frame where it fits.

    Its side depends on the instance; cutting resizes it to ``side``. (0, 4) for a mask without a boundary.
    """
    if mask.area in (0, mask.frame[0] * mask.frame[1]):
        return np.empty((0, 4), np.int32)
    left, top, right, bottom = mask.trimmed().box
    longest = max(right - left, bottom - top)
    square = max(SMALLEST, longest + 2 * round(CONTEXT * longest))
    return squares_inside(np.array([(top + bottom) // 2]), np.array([(left + right) // 2]), square, mask.frame)


@dataclass(frozen=True)
class Scheme:
    """One way to place patches.

    Attributes:
        boxes: makes the (K, 4) int32 boxes of an instance from its mask, the patch side, the largest IoU of two boxes and
            the cover margin. All boxes have one size.
        title: its title in pictures.
        any_size: its patches grow with the instance, and the network sees them resized.
    """

    boxes: Callable[[BoxMask, int, float, int], np.ndarray]
    title: str
    any_size: bool = False


SCHEMES = {
    "dense": Scheme(dense_boxes, "dense + NMS"),
    "grid": Scheme(grid_boxes, "pre-defined grid"),
    "instance": Scheme(instance_boxes, "instance-level", any_size=True),
}
