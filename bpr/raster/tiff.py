"""TIFF files of any layout by window: GeoTIFF, BigTIFF, OME-TIFF; in tiles or strips, in colours or bands."""

from __future__ import annotations

import logging
import mmap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bpr.errors import BPRError, install_hint
from bpr.geometry.boxes import Box, tiles
from bpr.io.files import atomic_open
from bpr.io.image_header import tiff_pages
from bpr.io.pixels import Facts
from bpr.limits import LARGEST_TEXT, bytes_can_encode
from bpr.raster.blocks import TILE, Raster
from bpr.raster.georeference import KEYS, SCALE, TIEPOINT, TRANSFORMATION, from_tags

KEPT_TAGS = (SCALE, TIEPOINT, TRANSFORMATION, KEYS, 34736, 34737, 42112, 42113)
"""Tags that are copied byte for byte: the georeference, and what GDAL notes: its metadata and the number for no data."""
NODATA, ORIENTATION, DESCRIPTION, RESOLUTION, RESOLUTION_UNIT = 42113, 274, 270, (282, 283), 296
ASCII, RATIONAL = 2, 5
"""Types of tags."""
FILE_ROWS, FILE_COLUMNS = 128, 2048
"""The block in which a file is read that holds its samples plainly, row by row."""


class TiffRaster(Raster):
    """The first page of a TIFF file.

    Attributes:
        pages: how many pages of full size the file has.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            import tifffile
        except ImportError as error:
            raise BPRError(f"{path}: a TIFF that is read by windows needs the [raster] extra: {install_hint('raster')}") from error
        logging.getLogger("tifffile").addHandler(logging.NullHandler())  # its remarks on damaged tags
        try:
            self._file: Any = tifffile.TiffFile(path)
            self._page: Any = self._file.pages[0]
            self._open()
        except BPRError:
            raise
        except Exception as error:  # tifffile's own, and those of struct, numpy and the system
            raise BPRError(f"{path}: not a TIFF that can be read ({error})") from error

    def _open(self) -> None:
        page = self._page
        with open(self.path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            self.pages = len(tiff_pages(content))  # tifffile may follow a chain that leads back for ever
        self.frame, self.bands = (page.imagelength, page.imagewidth), page.samplesperpixel
        if page.dtype is None or page.imagedepth != 1:
            raise BPRError(f"{self.path}: expected samples of 8 to 64 bits in a plane, got others; save it as an uncompressed TIFF")
        if ORIENTATION in page.tags and page.tags[ORIENTATION].value != 1:
            got = f"orientation {page.tags[ORIENTATION].value}"
            raise BPRError(f"{self.path}: expected a raster that is stored upright, got {got}; turn it")
        self.dtype = np.dtype(page.dtype)
        self._plain = bool(page.is_memmappable)
        self._separate = int(page.planarconfig) == 2 and self.bands > 1
        self.block = (FILE_ROWS, FILE_COLUMNS) if self._plain else tuple(page.chunks[-2:] if self._separate else page.chunks[:2])
        self.check()
        if not bytes_can_encode(*self.frame, self._file.filehandle.size):
            pixels = f"{self.frame[1]}x{self.frame[0]}"
            got = f"{self._file.filehandle.size} bytes, which cannot hold it"
            raise BPRError(f"{self.path}: expected a raster of {pixels} pixels, got {got}")
        self._rows, self._columns = (-(-side // part) for side, part in zip(self.frame, self.block, strict=True))
        stated = {tag: page.tags[tag].value for tag in (SCALE, TIEPOINT, TRANSFORMATION, KEYS) if tag in page.tags}
        self.georeference = from_tags({tag: value for tag, value in stated.items() if isinstance(value, tuple)})
        nodata = page.tags.get(NODATA)
        try:
            self.nodata = None if nodata is None else float(nodata.value)
        except (TypeError, ValueError):
            self.nodata = None

    def read_block(self, row: int, column: int) -> np.ndarray:
        if self._plain:
            return self._plain_block(row, column)
        x0, y0, x1, y1 = self.block_box(row, column)
        if not self._separate:
            return self._decoded(row * self._columns + column)[: y1 - y0, : x1 - x0]
        count = self._rows * self._columns
        parts = [self._decoded(band * count + row * self._columns + column) for band in range(self.bands)]
        return np.concatenate(parts, axis=2)[: y1 - y0, : x1 - x0]

    def _decoded(self, index: int) -> np.ndarray:
        """(h, w, B) samples of a tile or strip; one that the file leaves out is 0 or has no data."""
        page, handle = self._page, self._file.filehandle
        length = page.databytecounts[index]
        if not length:
            bands = 1 if self._separate else self.bands
            return np.full((*self.block, bands), self.nodata or 0).astype(self.dtype)
        if length > handle.size:
            raise ValueError(f"{length} bytes in a file of {handle.size}")
        handle.seek(page.dataoffsets[index])
        tile, _, (_, height, width, _) = page.decode(handle.read(length), index, jpegtables=page.jpegtables)
        return np.asarray(tile[0, :height, :width], self.dtype)

    def _plain_block(self, row: int, column: int) -> np.ndarray:
        """A part of samples that lie in the file row by row. It is read and not mapped: a map would count as memory."""
        x0, y0, x1, y1 = self.block_box(row, column)
        planes, bands = (self.bands, 1) if self._separate else (1, self.bands)
        result = np.empty((planes, y1 - y0, x1 - x0, bands), self.dtype)
        handle, pixel = self._file.filehandle, bands * self.dtype.itemsize
        stored = self.dtype.newbyteorder(self._file.byteorder)
        for plane in range(planes):
            for line in range(y1 - y0):
                pixels = (plane * self.frame[0] + y0 + line) * self.frame[1] + x0
                handle.seek(self._page.dataoffsets[0] + pixels * pixel)
                content = handle.read((x1 - x0) * pixel)
                result[plane, line] = np.frombuffer(content, stored).reshape(x1 - x0, bands)
        return np.moveaxis(result, 0, 3).reshape(y1 - y0, x1 - x0, self.bands)

    @property
    def kind(self) -> str:
        """How its samples are meant: ``rgb``, ``palette`` ..."""
        return str(self._page.photometric.name).lower()

    @property
    def facts(self) -> Facts:
        return Facts(str(self.path), self.kind in ("rgb", "ycbcr"), None, self.nodata, self.kind == "miniswhite", self.pages)

    def write_like(self, out: Path, tile_at: Callable[[Box], np.ndarray]) -> None:
        import tifffile

        height, width = self.frame
        stored = self.dtype.newbyteorder(self._file.byteorder)

        def filled_up(tile: np.ndarray) -> np.ndarray:
            below, right = TILE - tile.shape[0], TILE - tile.shape[1]
            return np.pad(tile, ((0, below), (0, right))) if below or right else tile

        content = (filled_up(tile_at(box).astype(stored)) for box in tiles(self.frame, TILE, TILE))

        page, plain = self._page, {}
        if page.colormap is not None:
            plain = {"photometric": "palette", "colormap": page.colormap}
        if all(self._raw(tag, RATIONAL) for tag in RESOLUTION):
            plain["resolution"] = tuple(page.tags[tag].value for tag in RESOLUTION)
            unit = page.tags.get(RESOLUTION_UNIT)
            plain["resolutionunit"] = unit.value if unit is not None and unit.value in (1, 2, 3) else 2
        if self.pages == 1 and (text := self._raw(DESCRIPTION, ASCII)):  # of OME-TIFF; it would describe all pages
            plain["description"] = text.rstrip(b"\0")
        found = {tag: self._raw(tag) for tag in KEPT_TAGS}
        extra = [(tag, int(page.tags[tag].dtype), page.tags[tag].count, raw, True) for tag, raw in found.items() if raw]
        big = self._file.is_bigtiff or height * width * self.dtype.itemsize > 2**31
        with atomic_open(out, "wb") as file, tifffile.TiffWriter(file, bigtiff=big, byteorder=self._file.byteorder) as writer:
            writer.write(
                content, shape=self.frame, dtype=stored, tile=(TILE, TILE), compression="zlib", software=False,
                metadata=None, extratags=extra, **({"photometric": "minisblack"} | plain),
            )  # fmt: skip

    def _raw(self, tag: int, kind: int | None = None) -> bytes:
        """The bytes of a tag's value as they stand in the file; empty where it is missing, cut off or of another kind."""
        found, handle = self._page.tags.get(tag), self._file.filehandle
        if found is None or found.valuebytecount > LARGEST_TEXT or kind not in (None, found.dtype):
            return b""
        if kind == RATIONAL and (found.count != 1 or 0 in found.value):
            return b""
        handle.seek(found.valueoffset)
        raw = bytes(handle.read(found.valuebytecount))
        return raw if len(raw) == found.valuebytecount else b""
