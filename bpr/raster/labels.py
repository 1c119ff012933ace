"""The instances of a label raster: every number but 0 is one, wherever its pixels lie.

Legend: N instances, h w window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bpr.errors import BPRError
from bpr.geometry.boxes import Box, tiles
from bpr.geometry.masks import BoxMask
from bpr.raster.blocks import Raster

SCANNED_ROWS, SCANNED_COLUMNS = 512, 4096
"""The window in which a raster is searched for instances."""


@dataclass(frozen=True)
class Labels:
    """A label raster and its instances, sorted by their numbers.

    Numbers below 0 and that for no data mark pixels that belong to nobody and stay.

    Attributes:
        numbers: (N,) int64.
        boxes: (N, 4) int64 XYXY.
        areas: (N,) pixels.
    """

    raster: Raster
    numbers: np.ndarray
    boxes: np.ndarray
    areas: np.ndarray

    @classmethod
    def of(cls, raster: Raster) -> Labels:
        """Search a raster for instances, window by window.

        Raises:
            BPRError: it does not hold one whole number a pixel.
        """
        if raster.bands != 1 or raster.dtype.kind not in "iu":
            got = f"{raster.bands} of {raster.dtype}"
            raise BPRError(f"{raster.path}: expected labels, one band of whole numbers, got {got}; convert it to uint32")
        found = [_instances(raster, box) for box in tiles(raster.frame, SCANNED_ROWS, SCANNED_COLUMNS)]
        table = _joined(np.concatenate(found))
        return cls(raster, table[:, 0], table[:, 1:5], table[:, 5])

    def mask(self, index: int, window: Box) -> BoxMask:
        """The mask of an instance in the frame of a window around it."""
        x0, y0, x1, y1 = self.boxes[index].tolist()
        pixels = self.raster.window((x0, y0, x1, y1))[..., 0] == self.numbers[index]
        return BoxMask(pixels, x0 - window[0], y0 - window[1], (window[3] - window[1], window[2] - window[0]))


def are_instances(numbers: np.ndarray, raster: Raster) -> np.ndarray:
    """Which numbers of a label raster are those of instances."""
    return numbers > 0 if raster.nodata is None else (numbers > 0) & (numbers != raster.nodata)


def _instances(raster: Raster, box: Box) -> np.ndarray:
    """(n, 6) number, x0, y0, x1, y1, area of the part of every instance in a window."""
    labels = raster.window(box)[..., 0]
    starts = np.ones(labels.shape, bool)
    np.not_equal(labels[:, 1:], labels[:, :-1], out=starts[:, 1:])
    first = np.flatnonzero(starts)
    numbers = labels.ravel()[first]
    is_instance = are_instances(numbers, raster)
    lengths = np.diff(first, append=labels.size)[is_instance]
    rows, columns = np.divmod(first[is_instance], labels.shape[1])
    x0, y0 = columns + box[0], rows + box[1]
    return _joined(np.stack([numbers[is_instance].astype(np.int64), x0, y0, x0 + lengths, y0 + 1, lengths], axis=1))


def _joined(parts: np.ndarray) -> np.ndarray:
    """(n, 6) the same for each number once, sorted by number, of parts in which it may occur often."""
    parts = parts[np.argsort(parts[:, 0], kind="stable")]
    first = np.flatnonzero(np.diff(parts[:, 0], prepend=0))
    if not first.size:
        return parts
    joins = (np.minimum, np.minimum, np.maximum, np.maximum, np.add)
    columns = [join.reduceat(parts[:, i], first) for i, join in enumerate(joins, start=1)]
    return np.stack([parts[first, 0], *columns], axis=1)
