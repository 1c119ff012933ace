"""A raster that is read by window: only the blocks under the window are decoded.

Legend: H W frame of the raster, h w window, B bands.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bpr.errors import BadImage, BPRError
from bpr.geometry.boxes import Box, at, intersect
from bpr.io.pixels import Facts
from bpr.raster.georeference import NOWHERE, Georeference

LARGEST_SIDE = 2**20
"""Pixels along one side (the largest slides of microscopes have 200,000)."""
LARGEST_RASTER = 2**36
"""Pixels in all, as 260,000 x 260,000: hours even to search it for objects."""
LARGEST_BLOCK = 2**27
"""Bytes of one decoded tile, strip or chunk: each is decoded whole."""
CACHED = 2**27
"""Bytes of decoded blocks that a raster keeps, so that neighbouring windows share them."""
TILE = 512
"""Side of the tiles in which a TIFF is written."""


class Raster(ABC):
    """A raster file that is open.

    Attributes:
        path: the file, or the folder of a Zarr array.
        frame: (H, W).
        bands: B samples a pixel.
        dtype: of the samples.
        block: (rows, columns) of the blocks that are decoded whole.
        nodata: the number that marks pixels without data; None where the file names none.
        georeference: where its pixels lie on the earth, if it says so.
    """

    frame: tuple[int, int]
    bands: int
    dtype: np.dtype
    block: tuple[int, int]
    nodata: float | None = None
    georeference: Georeference = NOWHERE

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[int, int], np.ndarray] = OrderedDict()
        self._bytes = 0

    def window(self, box: Box) -> np.ndarray:
        """(h, w, B) raw samples of a box inside the frame.

        Raises:
            BadImage: a block cannot be decoded.
        """
        x0, y0, x1, y1 = box
        result = np.empty((y1 - y0, x1 - x0, self.bands), self.dtype)
        rows, columns = self.block
        for row in range(y0 // rows, -(-y1 // rows)):
            for column in range(x0 // columns, -(-x1 // columns)):
                block, left, top = self._block(row, column), column * columns, row * rows
                area = left, top, left + block.shape[1], top + block.shape[0]
                part = intersect(box, area)
                result[at(part, box)] = block[at(part, area)]
        return result

    @property
    def facts(self) -> Facts:
        """What the file says about its samples."""
        return Facts(str(self.path), self.bands in (3, 4), no_data=self.nodata)

    @abstractmethod
    def read_block(self, row: int, column: int) -> np.ndarray:
        """(h, w, B): a block, cut at the frame; one thread calls it at a time."""

    @abstractmethod
    def write_like(self, out: Path, tile_at: Callable[[Box], np.ndarray]) -> None:
        """Write a raster of the same frame, dtype, georeference and tags, tile by tile.

        Args:
            tile_at: gives the (h, w) samples of a box.
        """

    def check(self) -> None:
        """Raise a BPRError where the file states what no real raster has."""
        height, width = self.frame
        if not (0 < height <= LARGEST_SIDE and 0 < width <= LARGEST_SIDE and height * width <= LARGEST_RASTER):
            expected = f"sides of 1..{LARGEST_SIDE} pixels and at most {LARGEST_RASTER} in all"
            raise BPRError(f"{self.path}: expected {expected}, got {width}x{height}; cut it into parts")
        if min(self.block) < 1:
            got = f"{self.block[1]}x{self.block[0]}"
            raise BPRError(f"{self.path}: expected tiles, strips or chunks of at least one pixel, got {got}; write it anew")
        size = self.block[0] * self.block[1] * self.bands * self.dtype.itemsize
        if size > LARGEST_BLOCK:
            got = f"{self.block[1]}x{self.block[0]} of {size / 2**20:.0f} MiB"
            expected = f"expected tiles or strips of at most {LARGEST_BLOCK >> 20} MiB"
            raise BPRError(f"{self.path}: {expected}, got {got}; write it in tiles (gdal_translate -co TILED=YES)")

    def _block(self, row: int, column: int) -> np.ndarray:
        with self._lock:
            key = row, column
            if key not in self._kept:
                try:
                    block = self.read_block(row, column)
                except BPRError:
                    raise
                except Exception as error:  # every codec has its own exceptions
                    raise BadImage(f"{self.path}: cannot read the tile in row {row}, column {column} ({error})") from error
                self._kept[key] = block
                self._bytes += block.nbytes
                while self._bytes > CACHED and len(self._kept) > 1:
                    self._bytes -= self._kept.popitem(last=False)[1].nbytes
            self._kept.move_to_end(key)
            return self._kept[key]

    def block_box(self, row: int, column: int) -> Box:
        """The box of a block, cut at the frame."""
        (rows, columns), (height, width) = self.block, self.frame
        return column * columns, row * rows, min((column + 1) * columns, width), min((row + 1) * rows, height)
