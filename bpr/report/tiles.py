"""Close-ups of instances in rows, each under its words: the sheets of the analyses.

Legend: h w tile.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from bpr.geometry.boxes import Box, intersect
from bpr.geometry.masks import BoxMask
from bpr.report.draw import BACKGROUND, GAP, HEADER, INK, Colour, blank, draw_contour, legend, write_line

CAPTION = 22
SMALL = 0.45
LEAST_WIDTH = 460
"""Of a sheet: its title and legend are never cut."""
Contours = Sequence[tuple[BoxMask, Colour, int]]


def square_around(boxes: Sequence[Box], frame: tuple[int, int], margin: float = 0.15, least: int = 48) -> Box:
    """A square around all boxes with a ``margin`` of its side, not smaller than ``least``, moved into the frame where it fits.

    >>> square_around([(10, 20, 60, 40)], (100, 200), margin=0.0)
    (10, 5, 60, 55)
    """
    x0, y0 = (min(box[axis] for box in boxes) for axis in (0, 1))
    x1, y1 = (max(box[axis] for box in boxes) for axis in (2, 3))
    side = max(least, round(max(x1 - x0, y1 - y0) * (1 + 2 * margin)))
    left, top = (x0 + x1 - side) // 2, (y0 + y1 - side) // 2
    left, top = (min(max(start, 0), max(length - side, 0)) for start, length in ((left, frame[1]), (top, frame[0])))
    return left, top, left + side, top + side


def close_up(image: np.ndarray, box: Box, side: int, contours: Contours = ()) -> np.ndarray:
    """(side, side, 3) uint8 RGB: a square ``box`` of the image, enlarged, with the outlines of masks as (mask, colour, width)."""
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
    """(side, side, 3): the mask alone, light on dark."""
    window = cv2.resize(mask.window(box).astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST)
    return np.where(window[..., None] > 0, np.array(INK, np.uint8), np.array((52, 56, 64), np.uint8)).astype(np.uint8)


def captioned(tile: np.ndarray, words: Sequence[str]) -> np.ndarray:
    """The tile above its lines of words."""
    bar = blank(CAPTION * len(words), tile.shape[1])
    for index, line in enumerate(words):
        place = (2, CAPTION * (index + 1) - 7)
        cv2.putText(bar, line, place, cv2.FONT_HERSHEY_SIMPLEX, SMALL, INK, 1, cv2.LINE_AA)
    return np.concatenate([tile, bar])


def sheet(tiles: Sequence[np.ndarray], columns: int, title: str, with_legend: bool = True) -> np.ndarray:
    """Tiles of one size in rows of ``columns`` under a title; the legend names the colours of the outlines."""
    rows = [list(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    gap = blank(tiles[0].shape[0], GAP)
    strips = [np.concatenate([part for tile in row for part in (tile, gap)][:-1], axis=1) for row in rows]
    width = max(LEAST_WIDTH, *(strip.shape[1] for strip in strips))
    bars = [_bar(title, width), *([legend(width)] if with_legend else [])]
    for strip in strips:
        wide = cv2.copyMakeBorder(strip, 0, GAP, 0, width - strip.shape[1], cv2.BORDER_CONSTANT, value=BACKGROUND)
        bars.append(wide)
    return cv2.copyMakeBorder(np.concatenate(bars), GAP, 0, GAP, GAP, cv2.BORDER_CONSTANT, value=BACKGROUND)


def _bar(title: str, width: int) -> np.ndarray:
    bar = blank(HEADER, width)
    write_line(bar, title, 0)
    return bar
