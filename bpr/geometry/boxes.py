"""Integer boxes: XYXY, half-open, in frame pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

Box = tuple[int, int, int, int]


def intersect(a: Box, b: Box) -> Box:
    """The common part of two boxes; empty (x0 >= x1 or y0 >= y1) when they do not meet."""
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])


def expand(box: Box, margin: int) -> Box:
    """``box`` with ``margin`` pixels more on each side, even beyond the frame."""
    return box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin


def grow(box: Box, margin: int, frame: tuple[int, int]) -> Box:
    """``box`` with ``margin`` pixels more on each side, cut at the frame (H, W).

    >>> grow((2, 0, 5, 4), 3, (10, 7))
    (0, 0, 7, 7)
    """
    height, width = frame
    return max(box[0] - margin, 0), max(box[1] - margin, 0), min(box[2] + margin, width), min(box[3] + margin, height)


def at(box: Box, corner: Sequence[int] = (0, 0)) -> tuple[slice, slice]:
    """The index of a box in an array whose first pixel lies at the ``corner`` (x, y), which may begin a box.

    >>> at((2, 0, 5, 4), (1, 0))
    (slice(0, 4, None), slice(1, 4, None))
    """
    return slice(box[1] - corner[1], box[3] - corner[1]), slice(box[0] - corner[0], box[2] - corner[0])


def is_empty(box: Box) -> bool:
    return box[0] >= box[2] or box[1] >= box[3]


def enclosing(boxes: np.ndarray) -> Box:
    """The smallest box around (K, 4) boxes, K >= 1."""
    (x0, y0), (x1, y1) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    return int(x0), int(y0), int(x1), int(y1)


def tiles(frame: tuple[int, int], rows: int, columns: int) -> Iterator[Box]:
    """The boxes of at most ``rows`` x ``columns`` pixels into which a frame (H, W) is cut, row by row.

    >>> list(tiles((2, 5), 2, 3))
    [(0, 0, 3, 2), (3, 0, 5, 2)]
    """
    height, width = frame
    for y in range(0, height, rows):
        for x in range(0, width, columns):
            yield x, y, min(x + columns, width), min(y + rows, height)


def squares_inside(rows: np.ndarray, columns: np.ndarray, side: int, frame: tuple[int, int]) -> np.ndarray:
    """(K, 4) int32 squares centred on pixels, shifted to lie inside the frame (H, W).

    A frame smaller than the square keeps the square at its origin: the crop is padded.
    The last row and column belong to the frame, so a shifted box may end at W and H.

    >>> squares_inside(np.array([0, 9]), np.array([5, 9]), 4, (10, 10)).tolist()
    [[3, 0, 7, 4], [6, 6, 10, 10]]
    """
    height, width = frame
    x0 = np.clip(columns - side // 2, 0, max(width - side, 0))
    y0 = np.clip(rows - side // 2, 0, max(height - side, 0))
    return np.stack([x0, y0, x0 + side, y0 + side], axis=1).astype(np.int32)
