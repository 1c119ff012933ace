"""Where to look closer: square patches along the boundary of one instance (paper section 3.1)."""

from __future__ import annotations

import numpy as np

from bpr.geometry.boundary import boundary_pixels
from bpr.geometry.boxes import squares_inside
from bpr.geometry.masks import BoxMask
from bpr.geometry.nms import suppress_squares
from bpr.geometry.scheme import PatchScheme


def dense_boxes(mask: BoxMask, scheme: PatchScheme) -> np.ndarray:
    """(K, 4) int32 boxes that together cover every boundary pixel of ``mask``; K = 0 without a boundary.

    One square per boundary pixel, greedy suppression, shift into the frame, then squares for the pixels that the
    suppression left bare.
    """
    rows, columns = boundary_pixels(mask)
    kept = suppress_squares(rows, columns, scheme.side, scheme.nms_iou)
    boxes = squares_inside(rows[kept], columns[kept], scheme.side, mask.frame)
    bare = ~_covered(rows, columns, boxes, scheme.cover_margin, mask.frame)
    return np.concatenate([boxes, _top_up(rows[bare], columns[bare], scheme, mask.frame)])


def _top_up(rows: np.ndarray, columns: np.ndarray, scheme: PatchScheme, frame: tuple[int, int]) -> np.ndarray:
    """Squares on the first bare pixel, again and again, until none is bare."""
    boxes = [np.empty((0, 4), np.int32)]
    while rows.size:
        boxes.append(squares_inside(rows[:1], columns[:1], scheme.side, frame))
        bare = ~_covered(rows, columns, boxes[-1], scheme.cover_margin, frame)
        rows, columns = rows[bare], columns[bare]
    return np.concatenate(boxes)


def _covered(rows: np.ndarray, columns: np.ndarray, boxes: np.ndarray, margin: int, frame: tuple[int, int]) -> np.ndarray:
    """(N,) bool: the pixel lies in some box, ``margin`` pixels off the sides of the box that are not the frame's."""
    if not rows.size or not len(boxes):
        return np.zeros(rows.shape, bool)
    height, width = frame
    left, top = int(columns.min()), int(rows.min())
    canvas = np.zeros((int(rows.max()) - top + 1, int(columns.max()) - left + 1), bool)
    for x0, y0, x1, y1 in boxes.tolist():
        x0, x1 = x0 + margin * (x0 > 0), x1 - margin * (x1 < width)
        y0, y1 = y0 + margin * (y0 > 0), y1 - margin * (y1 < height)
        canvas[max(y0 - top, 0) : max(y1 - top, 0), max(x0 - left, 0) : max(x1 - left, 0)] = True
    return canvas[rows - top, columns - left]
