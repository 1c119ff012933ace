"""Large objects in smaller copies of their photo, and the changes carried back.

A network knows objects of the sizes that it was trained on, and a patch shows it the surroundings of a boundary only as
far as half its side. In a smaller copy of the photo, a large object has a size that it knows, and a patch shows more.

Legend: H W frame of the photo, h w frame of a level: H / 2^level and W / 2^level rounded up. A pixel of a level is a cell
of 2^level x 2^level pixels of the photo.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from bpr.geometry.boxes import at, enclosing, grow, is_empty
from bpr.geometry.masks import BoxMask
from bpr.geometry.patches import crop_mask

LEAST_CHANGE = 3
"""A change at a level counts where it is this many cells wide in both directions: a cell or two more or less along a
boundary are the grain of the level."""
STEP = 2
"""How many levels finer the next one is. A patch sees far beyond the cells of the level before; more levels cost time, and
each adds errors of its own to good masks."""


def coarse_levels(area: int, object_size: int | None) -> int:
    """How often a photo must be halved until an object of ``area`` pixels is at most as large as those that the network knows.

    Args:
        object_size: the largest root of an area, in pixels, that the network knows; None: any.

    >>> [coarse_levels(300**2, size) for size in (300, 299, 150, 100, None)]
    [0, 1, 1, 2, 0]
    """
    size = math.sqrt(area)
    return math.ceil(math.log2(size / object_size)) if object_size and size > object_size else 0


class Scales:
    """An image and its copies at half its size, a quarter and so on. Each copy is made when it is first needed.

    Args:
        image: (H, W, 3) uint8.
    """

    def __init__(self, image: np.ndarray) -> None:
        self._images = [image]

    def at(self, level: int) -> np.ndarray:
        """(h, w, 3) uint8: the mean of every cell. Beyond the frame the image's edge is repeated."""
        while len(self._images) <= level:
            image = self._images[-1]
            height, width = image.shape[:2]
            even = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
            size = even.shape[1] // 2, even.shape[0] // 2
            self._images.append(cv2.resize(even, size, interpolation=cv2.INTER_AREA))
        return self._images[level]


def shrunk(mask: BoxMask, level: int) -> BoxMask:
    """The mask at a level: the cells of which more than half is foreground. It may be empty.

    >>> mask = BoxMask.from_frame(np.array([[1, 1, 1, 0, 1], [1, 0, 0, 0, 1], [0, 0, 0, 0, 1]]))
    >>> shrunk(mask, 1).to_frame().astype(int)
    array([[1, 0, 1],
           [0, 0, 1]])
    """
    cell = 2**level
    frame = -(-mask.frame[0] // cell), -(-mask.frame[1] // cell)
    x0, y0, x1, y1 = mask.box
    left, top, right, bottom = cells = x0 // cell, y0 // cell, -(-x1 // cell), -(-y1 // cell)
    if is_empty(cells):
        return BoxMask.empty(frame)
    pixels = crop_mask(mask, (left * cell, top * cell, right * cell, bottom * cell))
    shares = cv2.resize(pixels.astype(np.float32), (right - left, bottom - top), interpolation=cv2.INTER_AREA)
    return BoxMask(shares > 0.5, left, top, frame).trimmed()


def carried(mask: BoxMask, before: BoxMask, after: BoxMask, level: int) -> BoxMask:
    """The photo's mask with the changes of a level. Pixels half a cell or more away from every change stay as they are.

    Changes less than ``LEAST_CHANGE`` cells wide do not count. A mask that would lose all its pixels stays as it was.

    Args:
        mask: in the photo's frame.
        before: the mask at the level, as :func:`shrunk` makes it.
        after: what it became there.

    >>> mask = BoxMask.from_frame(np.repeat([[1] * 9 + [0] * 7], 8, axis=0))
    >>> thin, wide = (BoxMask.from_frame(np.repeat([[1] * n + [0] * (8 - n)], 4, axis=0)) for n in (6, 7))
    >>> [carried(mask, shrunk(mask, 1), after, 1).bbox[2] for after in (thin, wide)]
    [9.0, 14.0]
    """
    cell, (height, width) = 2**level, mask.frame
    cells = grow(enclosing(np.array([before.box, after.box])), 1, before.frame)
    new = after.window(cells)
    differs = (new != before.window(cells)).view(np.uint8)
    square = np.ones((LEAST_CHANGE, LEAST_CHANGE), np.uint8)
    starts = cv2.erode(differs, square, anchor=(0, 0))  # of the squares that changed as a whole
    changed = cv2.dilate(starts, square, anchor=(LEAST_CHANGE - 1, LEAST_CHANGE - 1))
    left, top, columns, rows = cv2.boundingRect(changed)
    if not columns:
        return mask
    # Only the cells around changes are enlarged: they can be few, and the mask large.
    near = grow((left, top, left + columns, top + rows), 1, changed.shape)
    x0, y0 = (cells[0] + near[0]) * cell, (cells[1] + near[1]) * cell
    x1, y1 = min((cells[0] + near[2]) * cell, width), min((cells[1] + near[3]) * cell, height)
    reached, foreground = (
        cv2.resize(part[at(near)].astype(np.float32), None, fx=cell, fy=cell, interpolation=cv2.INTER_LINEAR)[: y1 - y0, : x1 - x0]
        for part in (changed, new)
    )
    box = enclosing(np.array([mask.box, (x0, y0, x1, y1)]))
    pixels = mask.window(box)
    np.copyto(pixels[at((x0, y0, x1, y1), box)], foreground > 0.5, where=reached > 0)
    result = BoxMask(pixels, box[0], box[1], mask.frame).trimmed()
    return result if result.pixels.size else mask
