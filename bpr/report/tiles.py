"""Sheets of captioned close-ups, in rows.

Legend: h w tile. Boxes are XYXY, integer, half-open.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from bpr.geometry.boxes import Box, intersect
from bpr.geometry.masks import BoxMask
from bpr.report.draw import BACKGROUND, GAP, INK, Colour, blank, draw_contour, legend, side_by_side, titled

CAPTION_LINE = 22
"""Height in pixels of a line of a caption."""
CAPTION_SCALE = 0.45
SMALLEST_SQUARE = 48
"""Least side, in pixels of the image, of a close-up around masks."""
SMALLEST_WIDTH = 460
"""Width in pixels that the title and the legend of a sheet need."""
Contours = Sequence[tuple[BoxMask, Colour, int]]
"""Masks whose outlines are drawn, each with a colour and a line width in pixels."""


def square_around(boxes: Sequence[Box], frame: tuple[int, int], margin: float = 0.15) -> Box:
    """A square around all boxes, moved into the frame (H, W) if it fits.

    Args:
        margin: distance between the boxes and the square, as a share of the longer side of the boxes.

    >>> square_around([(10, 20, 60, 40)], (100, 200), margin=0.0)
    (10, 5, 60, 55)
    """
    x0, y0 = (min(box[axis] for box in boxes) for axis in (0, 1))
    x1, y1 = (max(box[axis] for box in boxes) for axis in (2, 3))
    side = max(SMALLEST_SQUARE, round(max(x1 - x0, y1 - y0) * (1 + 2 * margin)))
    return square_of(side, (x0, y0, x1, y1), frame)


def square_of(side: int, box: Box, frame: tuple[int, int]) -> Box:
    """A square with the centre of ``box``, moved into the frame (H, W) if it fits.

    >>> square_of(10, (0, 0, 4, 4), (100, 200))
    (0, 0, 10, 10)
    """
    x0, y0, x1, y1 = box
    left = min(max((x0 + x1 - side) // 2, 0), max(frame[1] - side, 0))
    top = min(max((y0 + y1 - side) // 2, 0), max(frame[0] - side, 0))
    return left, top, left + side, top + side


def close_up(image: np.ndarray, box: Box, side: int, contours: Contours = ()) -> np.ndarray:
    """(side, side, 3) uint8 RGB: a square ``box`` of the image, enlarged or shrunk, with the outlines of masks."""
    x0, y0, x1, y1 = box
    left, top, right, bottom = intersect(box, (0, 0, image.shape[1], image.shape[0]))
    crop = blank(y1 - y0, x1 - x0)
    crop[top - y0 : bottom - y0, left - x0 : right - x0] = image[top:bottom, left:right]
    shrinks = side < crop.shape[0]
    tile = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    for mask, colour, width in contours:
        window = mask.window(box).astype(np.uint8)
        draw_contour(tile, cv2.resize(window, (side, side), interpolation=cv2.INTER_NEAREST), colour, width)
    return tile


def flat(mask: BoxMask, box: Box, side: int) -> np.ndarray:
    """(side, side, 3) uint8 RGB: the mask inside ``box``, light on dark."""
    window = cv2.resize(mask.window(box).astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST)
    return np.where(window[..., None] > 0, np.array(INK, np.uint8), np.array((52, 56, 64), np.uint8)).astype(np.uint8)


def captioned(tile: np.ndarray, lines: Sequence[str]) -> np.ndarray:
    """The tile with lines of text below it."""
    caption = blank(CAPTION_LINE * len(lines), tile.shape[1])
    for index, line in enumerate(lines):
        position = (2, CAPTION_LINE * (index + 1) - 7)
        cv2.putText(caption, line, position, cv2.FONT_HERSHEY_SIMPLEX, CAPTION_SCALE, INK, 1, cv2.LINE_AA)
    return np.concatenate([tile, caption])


def sheet(tiles: Sequence[np.ndarray], columns: int, title: str, with_legend: bool = True) -> np.ndarray:
    """Tiles of one size in rows of ``columns`` below a title, and a legend that names the colours of the outlines."""
    rows = [side_by_side(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    width = max(SMALLEST_WIDTH, *(row.shape[1] for row in rows))
    parts = [legend(width)] if with_legend else []
    for row in rows:
        parts.append(cv2.copyMakeBorder(row, 0, GAP, 0, width - row.shape[1], cv2.BORDER_CONSTANT, value=BACKGROUND))
    return cv2.copyMakeBorder(titled(np.concatenate(parts), title), GAP, 0, GAP, GAP, cv2.BORDER_CONSTANT, value=BACKGROUND)
