"""Instances grouped by place: those of a group share one window, and no window is large.

What is made of an instance depends on its mask and on the image within :data:`MARGIN` pixels of it, in the smaller
copies in which a large instance is seen first as many of their pixels. A window holds all of that for each of its
instances and begins on the grid of these copies, so that the result does not depend on how instances are grouped.

Legend: N instances.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bpr.errors import BadImage, BPRError
from bpr.geometry.boxes import Box, enclosing
from bpr.geometry.options import PatchSpec, RefineOptions
from bpr.geometry.scales import coarse_levels
from bpr.io.pixels import AS_THEY_ARE, MOST_COUNTED, PixelOptions, Range, Shown, shown
from bpr.raster.blocks import Raster

CELL = 512
"""Side in pixels of the squares in which instances are neighbours."""
MOST_TOGETHER = 64
"""Instances of one window: their patches are in memory together."""
MARGIN = 64
"""Pixels around an instance: half a patch, its padding, and what its patches may add to the instance before that."""
OBJECT_SIZE = RefineOptions.object_size
SQUARE, SQUARES = 256, 8
"""A large image is known by the values in so many squares along each side, of so many pixels each."""
LARGEST_WINDOW = 2**24
"""Pixels of the largest window; an instance that needs a larger one is kept as it is."""


def windows_of(boxes: np.ndarray, areas: np.ndarray, frame: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The order of the instances by place, and their windows.

    Args:
        boxes: (N, 4) boxes of the instances.
        areas: (N,) pixels.

    Returns:
        (N,) indices of the instances, cell by cell, and (N, 4) the window of each of them, in that order.
    """
    height, width = frame
    levels = np.array([coarse_levels(area, OBJECT_SIZE) for area in areas.tolist()], np.int64)
    reach, grid = MARGIN << levels, 1 << levels
    x0, y0 = (np.maximum(boxes[:, i] - reach, 0) // grid * grid for i in (0, 1))
    x1, y1 = (np.minimum(-(-(boxes[:, i + 2] + reach) // grid) * grid, (width, height)[i]) for i in (0, 1))
    own = np.stack([x0, y0, x1, y1], axis=1)
    cells = boxes[:, 1::-1] // CELL  # rows first
    small = (levels == 0) & ((boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0) <= CELL)
    within = boxes[:, 1::-1] // (CELL // 4)
    order = np.lexsort((within[:, 1], within[:, 0], ~small, cells[:, 1], cells[:, 0]))
    windows = np.empty((len(boxes), 4), np.int64)
    first = 0
    for last in range(1, len(order) + 1):
        one = order[first]
        if last < len(order):
            other = order[last]
            alike = small[one] and small[other] and (cells[one] == cells[other]).all()
            if alike and last - first < MOST_TOGETHER:
                continue
        windows[first:last] = enclosing(own[order[first:last]])
        first = last
    return order, windows


def check_options(spec: PatchSpec, options: RefineOptions, pixels: PixelOptions) -> None:
    """Raise a BPRError where a result would depend on the windows, or another page is wanted than the first."""
    expected = None
    if options.scheme != "dense":
        expected = f"scheme dense for a raster that is read by windows, got {options.scheme}"
    elif spec.window > 2 * MARGIN:
        expected = f"a model of patches of at most {2 * MARGIN} pixels for a raster, got {spec.window}"
    elif options.object_size is not None and OBJECT_SIZE and options.object_size < OBJECT_SIZE:
        expected = f"an object_size of at least {OBJECT_SIZE} for a raster, got {options.object_size}"
    elif options.keep < 1 or options.max_patches is not None:
        expected = "no budget of patches for a raster, which has no image to share it out in, got one"
    elif pixels.page not in (None, 1):
        expected = f"page 1 of a raster that is read by windows, got {pixels.page}"
    if expected:
        raise BPRError(f"expected {expected}; refine it with other options, or as pictures of its tiles")


def window_id(box: Box) -> str:
    """The image id of a window.

    >>> window_id((0, 512, 700, 1200)), box_of("0,512,700,1200")
    ('0,512,700,1200', (0, 512, 700, 1200))
    """
    return ",".join(map(str, box))


def box_of(image_id: str) -> Box:
    """The box of a window's image id."""
    x0, y0, x1, y1 = map(int, image_id.split(","))
    return x0, y0, x1, y1


def is_too_large(box: Box) -> bool:
    """Whether a window is larger than those that are read."""
    return (box[2] - box[0]) * (box[3] - box[1]) > LARGEST_WINDOW


class ImageWindows:
    """The finder of a raster image: its windows are the images."""

    def __init__(self, raster: Raster) -> None:
        self.raster = raster
        self._ranges: dict[PixelOptions, Sequence[Range]] = {}

    def path(self, image_id: Any) -> Path:
        return self.raster.path

    def frame(self, image_id: Any) -> tuple[int, int] | None:
        return None

    def read(self, image_id: Any, options: PixelOptions = AS_THEY_ARE) -> Shown:
        """What the network sees of a window: values are mapped as those of the whole image.

        Raises:
            BadImage: it is too large, a tile cannot be decoded, or the options do not fit the image.
        """
        box = box_of(image_id)
        if is_too_large(box):
            got = f"one that needs {box[2] - box[0]}x{box[3] - box[1]}"
            limit = int(math.sqrt(LARGEST_WINDOW))
            raise BadImage(f"{self.raster.path}: expected an instance in a window of about {limit}x{limit} pixels, got {got}")
        if options not in self._ranges:
            self._ranges[options] = shown(self._sample(), options, self.raster.facts).ranges
        return shown(self.raster.window(box), options, self.raster.facts, self._ranges[options])

    def _sample(self) -> np.ndarray:
        """(h, w, B) samples that speak for all: the whole image, or squares that are evenly spread over a large one."""
        height, width = self.raster.frame
        if height * width <= MOST_COUNTED:
            return self.raster.window((0, 0, width, height))
        high, wide = min(height, SQUARE), min(width, SQUARE)
        rows, columns = np.linspace(0, height - high, SQUARES, dtype=int), np.linspace(0, width - wide, SQUARES, dtype=int)
        return np.concatenate([self.raster.window((x, y, x + wide, y + high)) for y in rows.tolist() for x in columns.tolist()])
