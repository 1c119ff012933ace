"""Arrays in Zarr folders by window, with the axes of OME-Zarr."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bpr.errors import BPRError, install_hint
from bpr.geometry.boxes import Box, tiles
from bpr.io.folders import atomic_folder
from bpr.raster.blocks import Raster

MARKS = (".zarray", ".zgroup", "zarr.json")
"""One of these files lies in every Zarr folder."""
MOST_BANDS_LAST = 4
"""Three axes whose last is at most this long are rows, columns and bands; else the bands come first."""


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr array or group."""
    return any((path / mark).is_file() for mark in MARKS)


class ZarrRaster(Raster):
    """A Zarr array, or the array of full size in an OME-Zarr group."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            import zarr
        except ImportError as error:
            raise BPRError(f"{path}: a Zarr folder needs the [raster] extra: {install_hint('raster')}") from error
        try:
            self._node: Any = zarr.open(store=str(path), mode="r")
            self._open(zarr)
        except BPRError:
            raise
        except Exception as error:  # its stores and codecs have their own
            raise BPRError(f"{path}: not a Zarr array that can be read ({error})") from error

    def _open(self, zarr: Any) -> None:
        attributes = dict(self._node.attrs)
        scales = (attributes.get("ome") or attributes).get("multiscales")
        self._name, axes = "", None
        array = self._node
        if isinstance(self._node, zarr.Group):
            if not scales:
                names = ", ".join(sorted(self._node.array_keys())) or "none"
                raise BPRError(f"{self.path}: expected an array, got a group of the arrays {names}; name one of them")
            self._name = str(scales[0]["datasets"][0]["path"])
            array = self._node[self._name]
            axes = [axis["name"] if isinstance(axis, dict) else axis for axis in scales[0].get("axes", ())] or None
        self._array, count = array, array.ndim
        if axes is None:
            last = count == 3 and array.shape[2] <= MOST_BANDS_LAST
            axes = ["y", "x", "c"] if last else ["t", "z", "c", "y", "x"][5 - count :] if count <= 5 else []
        others = [array.shape[i] for i, axis in enumerate(axes) if axis not in ("y", "x", "c")]
        if len(axes) != count or not {"y", "x"} <= set(axes) or any(length != 1 for length in others):
            raise BPRError(f"{self.path}: expected one plane of rows and columns, got an array of {array.shape}; save one plane")
        self._axes, self._order = axes, [axis for axis in axes if axis in ("y", "x", "c")]
        along = {axis: (array.shape[i], (array.shards or array.chunks)[i]) for i, axis in enumerate(axes)}
        self.frame, self.block = (along["y"][0], along["x"][0]), (along["y"][1], along["x"][1])
        self.bands, self.dtype = along["c"][0] if "c" in along else 1, np.dtype(array.dtype)
        self.check()

    def _place(self, box: Box) -> tuple[slice | int, ...]:
        """The index of a box in the array, all bands of it."""
        x0, y0, x1, y1 = box
        return tuple({"y": slice(y0, y1), "x": slice(x0, x1), "c": slice(None)}.get(axis, 0) for axis in self._axes)

    def read_block(self, row: int, column: int) -> np.ndarray:
        samples = np.asarray(self._array[self._place(self.block_box(row, column))])
        samples = samples if "c" in self._order else samples[..., None]
        return samples.transpose([[*self._order, "c"].index(axis) for axis in "yxc"])

    def write_like(self, out: Path, tile_at: Callable[[Box], np.ndarray]) -> None:
        import zarr

        with atomic_folder(out, "bpr refine") as folder:
            if self._name:
                attributes = dict(self._node.attrs)
                for scales in (attributes.get("ome") or attributes)["multiscales"]:
                    scales["datasets"] = scales["datasets"][:1]  # the smaller copies would show the old masks
                zarr.create_group(str(folder), zarr_format=self._node.metadata.zarr_format, attributes=attributes)
            array = zarr.from_array(str(folder), data=self._array, name=self._name or None, write_data=False)
            array.attrs.update(dict(self._array.attrs))
            for box in tiles(self.frame, *self.block):
                tile = tile_at(box)
                samples = tile if self._order.index("y") < self._order.index("x") else tile.T
                array[self._place(box)] = np.expand_dims(samples, self._order.index("c")) if "c" in self._order else samples
