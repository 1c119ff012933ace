"""Open a raster of any kind."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bpr.errors import BPRError
from bpr.geometry.boxes import Box
from bpr.io.image_header import BIG_TIFF_STARTS, TIFF_STARTS
from bpr.io.images import read_image
from bpr.io.mask_picture import TIFF
from bpr.raster.blocks import Raster
from bpr.raster.georeference import KEYS, SCALE, TRANSFORMATION
from bpr.raster.tiff import TiffRaster
from bpr.raster.zarr_store import ZarrRaster, is_zarr

PLAIN_PICTURE = 2**26
"""Pixels up to which a picture is read whole (201 MB as RGB)."""


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
    """Whether a file or folder is read by windows: its kind or size is beyond that of a plain picture.

    That is a Zarr folder, and a TIFF that is a BigTIFF or an OME-TIFF, has a georeference, or more than ``PLAIN_PICTURE``
    pixels.
    """
    if path.is_dir():
        return is_zarr(path)
    if path.suffix.lower() not in TIFF or not path.is_file():
        return False
    with open(path, "rb") as file:
        start = file.read(4)
    if start in BIG_TIFF_STARTS:
        return True
    if start not in TIFF_STARTS:
        return False
    try:
        import tifffile
    except ImportError:  # such a file may still be readable whole
        return False
    logging.getLogger("tifffile").addHandler(logging.NullHandler())
    try:
        with tifffile.TiffFile(path) as file:
            page: Any = file.pages[0]
            placed = any(tag in page.tags for tag in (SCALE, TRANSFORMATION, KEYS))
            return bool(placed or file.is_ome or page.imagelength * page.imagewidth > PLAIN_PICTURE)
    except Exception:  # whoever reads it next says what is wrong
        return False


def open_raster(path: Path) -> Raster:
    """Open a raster.

    Raises:
        BPRError: it cannot be read, or states what no real raster has.
    """
    if path.is_dir():
        return ZarrRaster(path)
    return TiffRaster(path) if is_raster(path) else Picture(path)
