"""Refined instances of a label raster without overlap, tile by tile.

Every instance claims its refined pixels with its probabilities. What a pixel becomes depends on the instances that
claim it and on their own surroundings, and neither on the tiles nor on an order:

- Of the claims on a pixel the most probable one wins; among equals the instance that had it, then the lowest number.
- A pixel that its instance gives up and no other takes becomes background if the nearest pixel outside the instance is
  background; else it stays, so that no hole opens between two instances.
- An instance that has won nothing of its own ground gets all of it back, so no number is lost.

Legend: N instances, h w box.
"""

from __future__ import annotations

import base64
import tempfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from bpr.geometry.boxes import Box, at, enclosing, grow, intersect, is_empty
from bpr.geometry.masks import BoxMask
from bpr.geometry.overlaps import NO_SEGMENT, give_back_unless_void
from bpr.raster.labels import Labels, are_instances

CERTAIN = np.uint16(65535)
"""The claim of an instance on pixels that it has and that were not refined."""


def claim_of(mask: BoxMask, probability: np.ndarray) -> str:
    """The probabilities of a refined mask's own pixels as a text.

    Args:
        probability: (h, w) float32 in the mask's box, above one half where the mask is.
    """
    values = np.clip(np.ceil((probability[mask.pixels] - 0.5) * 2 * int(CERTAIN)), 1, int(CERTAIN))
    return base64.b64encode(zlib.compress(values.astype("<u2").tobytes(), 1)).decode("ascii")


def claimed(mask: BoxMask, claim: str) -> np.ndarray:
    """(h, w) uint16 in the mask's box: how strongly each pixel is claimed, 0 where it is not."""
    values = np.zeros(mask.pixels.shape, np.uint16)
    values[mask.pixels] = np.frombuffer(zlib.decompress(base64.b64decode(claim)), "<u2")
    return values


class Claims:
    """The claims of all instances of a label raster; those that changed wait in a temporary file.

    Args:
        claims: for every instance the box and the (h, w) uint16 of its claim; None where it did not change.
        folder: where the temporary file lies.
    """

    def __init__(self, labels: Labels, claims: Iterable[tuple[int, Box, np.ndarray] | None], folder: Path) -> None:
        self._labels = labels
        self._boxes = labels.boxes.copy()
        self._reach = labels.boxes.copy()  # around the instance and its claim
        self._places = np.full((len(labels.numbers), 2), -1, np.int64)  # offset and length in the file
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  (closed with the object)
        offset = 0
        for item in claims:
            if item is not None:
                index, box, values = item
                content = zlib.compress(values.tobytes(), 1)
                self._boxes[index], self._places[index] = box, (offset, len(content))
                self._reach[index] = enclosing(np.stack([labels.boxes[index], box]))
                self._file.write(content)
                offset += len(content)
        self._changed = np.flatnonzero(self._places[:, 0] >= 0)

    def tile(self, box: Box) -> np.ndarray:
        """(h, w) labels of a box without overlap."""
        raster, frame = self._labels.raster, self._labels.raster.frame
        inside = self._near(box)
        if not inside.size:
            return raster.window(box)[..., 0]
        area = grow(enclosing(np.concatenate([[box], self._labels.boxes[inside]])), 1, frame)
        window = raster.window(area)[..., 0]
        before = self._owners(window)
        # The strongest claims and who has them, at first of the instances that did not change.
        fixed = (before >= 0) & (self._places[before, 0] < 0)
        highest, after = np.where(fixed, CERTAIN, np.uint16(0)), np.where(fixed, before, np.int32(NO_SEGMENT))
        for index in self._near(area).tolist():
            self._paint(index, area, before, highest, after)
        lost = []
        for index in inside.tolist():
            x0, y0, x1, y1 = self._labels.boxes[index].tolist()
            own = at(grow((x0, y0, x1, y1), 1, frame), area)
            give_back_unless_void(index, before[own], after[own])
            if not ((before[own] == index) & (after[own] == index)).any():
                lost.append(index)
        for index in lost:
            after[before == index] = index
        part = at(box, area)
        owners, old = after[part], window[part]
        is_free = (before[part] >= 0) | (old == 0)
        new = np.where(owners == NO_SEGMENT, 0, self._labels.numbers[owners])
        return np.where(is_free, new, old).astype(old.dtype)

    def _near(self, box: Box) -> np.ndarray:
        """Indices of the changed instances that reach into a box."""
        reach = self._reach[self._changed]
        meets = (reach[:, 0] < box[2]) & (reach[:, 2] > box[0]) & (reach[:, 1] < box[3]) & (reach[:, 3] > box[1])
        return self._changed[meets]

    def _owners(self, window: np.ndarray) -> np.ndarray:
        """The index of the instance that each pixel of a window belongs to."""
        owners = np.full(window.shape, NO_SEGMENT, np.int32)
        occupied = are_instances(window, self._labels.raster)
        numbers, where = np.unique(window[occupied], return_inverse=True)
        owners[occupied] = np.searchsorted(self._labels.numbers, numbers.astype(np.int64))[where.ravel()]
        return owners

    def _paint(self, index: int, area: Box, before: np.ndarray, highest: np.ndarray, after: np.ndarray) -> None:
        x0, y0, x1, y1 = box = tuple(self._boxes[index].tolist())
        part = intersect(box, area)
        if is_empty(part):
            return
        offset, length = self._places[index].tolist()
        self._file.seek(offset)
        content = zlib.decompress(self._file.read(length))
        values = np.frombuffer(content, np.uint16).reshape(y1 - y0, x1 - x0)[at(part, box)]
        place = at(part, area)
        wins = (values > highest[place]) | ((values == highest[place]) & (values > 0) & (before[place] == index))
        highest[place][wins] = values[wins]
        after[place][wins] = index
