"""How well records fit annotated masks, pair by pair: computed once for each pair that some metric asks for.

Decoded masks are dropped at once; what is kept is a few numbers per pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from bpr.evaluation.boundary_metrics import boundary_band, boundary_counts_at, boundary_width, overlap, tolerance_in_pixels
from bpr.formats.coco import Record
from bpr.geometry.boxes import Box, grow, intersect
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask

TOLERANCES = (1, 2, 3, 0.00088)
"""Of the boundary F measure: pixels, and the share of the diagonal that is 3 px at 1024x2048."""

REMEMBERED = 128
"""Decoded masks of either side: those of an image come one after the other."""

PairKey = tuple[int, int]


class Fits(NamedTuple):
    """(N,) IoU and Boundary IoU, (N, tolerances) boundary F of the whole masks, and inside a crop around the truth."""

    iou: np.ndarray
    boundary_iou: np.ndarray
    f: np.ndarray
    f_crop: np.ndarray


class FitTable:
    """Fits of records to annotations, both by their place in the list.

    Args:
        records, annotations: with compressed RLE.
        ratio: width of the band of Boundary IoU, as a share of the diagonal.
    """

    def __init__(self, records: Sequence[Record], annotations: Sequence[Record], ratio: float) -> None:
        self._ratio = ratio
        self._known: dict[PairKey, tuple[float, ...]] = {}
        self._record = lru_cache(REMEMBERED)(lambda index: decode_mask(records[index]["segmentation"]))
        self._truth = lru_cache(REMEMBERED)(lambda index: decode_mask(annotations[index]["segmentation"]))
        self._truth_band = lru_cache(REMEMBERED)(lambda index: self._band(self._truth(index)))

    def at(self, pairs: Sequence[PairKey]) -> Fits:
        """The fits of N pairs of a record and an annotation."""
        rows = np.array([self._row(pair) for pair in pairs]).reshape(len(pairs), 2 + 2 * len(TOLERANCES))
        return Fits(rows[:, 0], rows[:, 1], *np.split(rows[:, 2:], 2, axis=1))

    def boundary_iou(self, pairs: Sequence[PairKey]) -> np.ndarray:
        """(N,) Boundary IoU."""
        return self.at(pairs).boundary_iou

    def masks(self, pair: PairKey) -> tuple[BoxMask, BoxMask]:
        """The two masks of a pair, for metrics that keep their own numbers."""
        return self._record(pair[0]), self._truth(pair[1])

    def _row(self, pair: PairKey) -> tuple[float, ...]:
        if pair not in self._known:
            mask, truth = self.masks(pair)
            bands = overlap(self._band(mask), self._truth_band(pair[1]))
            self._known[pair] = (overlap(mask, truth).iou, bands.iou, *_boundary_f(mask, truth))
        return self._known[pair]

    def _band(self, mask: BoxMask) -> BoxMask:
        return boundary_band(mask, boundary_width(mask.frame, self._ratio))


def _boundary_f(mask: BoxMask, truth: BoxMask) -> list[float]:
    """F at TOLERANCES of the whole masks, then inside the crop."""
    radii = [tolerance_in_pixels(tolerance, truth.frame) for tolerance in TOLERANCES]
    whole = [counts.f for counts in boundary_counts_at(mask, truth, radii)]
    crop, reach = crop_around(truth), grow(mask.box, 1, mask.frame)
    if intersect(reach, crop) == reach:  # a mask that ends inside of the crop has the same boundary there
        return whole * 2
    return whole + [counts.f for counts in boundary_counts_at(_cut(mask, crop), _cut(truth, crop), radii)]


def crop_around(truth: BoxMask) -> Box:
    """The box of the truth with half its width more on the left and on the right, half its height above and below."""
    x0, y0, x1, y1 = truth.box
    dx, dy = (x1 - x0 + 1) // 2, (y1 - y0 + 1) // 2
    return intersect((x0 - dx, y0 - dy, x1 + dx, y1 + dy), (0, 0, truth.frame[1], truth.frame[0]))


def _cut(mask: BoxMask, box: Box) -> BoxMask:
    """The mask inside ``box``, which becomes its frame."""
    pixels = mask.window(box)
    return BoxMask(pixels, 0, 0, (pixels.shape[0], pixels.shape[1])).trimmed()
