"""Open a raster of any kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from bpr.errors import BPRError
from bpr.geometry.boxes import Box
from bpr.io.images import read_image
from bpr.io.mask_picture import TIFF
from bpr.raster.blocks import Raster
from bpr.raster.tiff import TiffRaster, window_kind
from bpr.raster.zarr_store import ZarrRaster, is_zarr


class Picture(Raster):
    """A picture that is read whole, in the orientation that its tag demands."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._pixels = read_image(path)
        height, width, self.bands = self._pixels.shape
        self.frame = self.block = height, width
        self.dtype = self._pixels.dtype

    def read_block(self, row: int, column: int) -> np.ndarray:
        return self._pixels

    def write_like(self, out: Path, tile_at: Callable[[Box], np.ndarray]) -> None:
        raise BPRError(f"{self.path}: expected a TIFF or a Zarr folder of labels, got a picture")


def is_raster(path: Path) -> bool:
    """Whether a file or folder is of a kind that is read by windows."""
    if path.is_dir():
        return is_zarr(path)
    return path.suffix.lower() in TIFF and path.is_file() and window_kind(path)


def open_raster(path: Path) -> Raster:
    """Open a raster.

    Raises:
        BPRError: it cannot be read, or states what no real raster has.
    """
    if path.is_dir():
        return ZarrRaster(path)
    return TiffRaster(path) if is_raster(path) else Picture(path)
