"""The metrics of matched pairs, one row each: how well one mask fits its ground truth.

A row of PAIR_METRICS is all that a metric needs. ``bpr eval``, its CSV, the report and the analyses show every row. Rows
of SURFACE_METRICS are metrics of ``bpr eval`` by their own names, columns of its CSV, and tiles of the report.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

from bpr.evaluation.boundary_metrics import (
    boundary_band,
    boundary_counts_at,
    boundary_width,
    overlap,
    tolerance_in_pixels,
)
from bpr.evaluation.surfaces import NSD_TOLERANCE, SurfaceFit, count_holes, count_parts, surface_fit, weighted_f
from bpr.formats.coco import Record
from bpr.geometry.boxes import Box, grow, intersect
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask

TOLERANCES = (1, 2, 3, 0.00088)
"""Tolerances of the boundary F measure: pixels, and the share of the diagonal that makes 3 px at 1024x2048."""
TOLERANCE = 2
"""The tolerance, in pixels, of the boundary F in PAIR_METRICS."""
CACHED_MASKS = 128
"""Decoded masks kept for the records and for the annotations. Masks of one image are used one after the other."""


Unit = Literal["%", "px", "1"]
"""What a number is shown in: a share in [0, 1] in percent, a distance in pixels, a count."""


@dataclass(frozen=True)
class PairMetric:
    """A number of at least 0 that tells how well a mask fits its ground truth.

    Attributes:
        name: names its columns in CSV and JSON.
        label: names it in the tables of ``bpr eval``, with its tolerance. ``{ratio}`` stands for the width of the
            boundary band, which the protocol sets.
        title: its heading in the report.
        measure: computes it.
        higher_is_better: False for a measure of error.
        unit: what it is shown in; a share lies in [0, 1].
        of_truth: of a number that a mask has by itself: counts it in the truth, which ``bpr eval`` shows beside it.
    """

    name: str
    label: str
    title: str
    measure: Callable[[MaskPair], float]
    higher_is_better: bool = True
    unit: Unit = "%"
    of_truth: Callable[[BoxMask], float] | None = None


class MaskPair:
    """A mask and its ground truth, with the numbers that several metrics share.

    A number is computed when it is first read, and kept. The decoded masks are not kept, so that hundreds of thousands
    of pairs fit into memory.
    """

    def __init__(self, pairs: MaskPairs, record: int, annotation: int) -> None:
        self._pairs, self._record, self._annotation = pairs, record, annotation

    @property
    def mask(self) -> BoxMask:
        return self._pairs.mask(self._record)

    @property
    def truth(self) -> BoxMask:
        return self._pairs.truth(self._annotation)

    @cached_property
    def iou(self) -> float:
        return overlap(self.mask, self.truth).iou

    @cached_property
    def boundary_iou(self) -> float:
        """IoU of the two bands inside the boundaries, whose width the protocol sets."""
        return overlap(self._pairs.band(self.mask), self._pairs.truth_band(self._annotation)).iou

    @cached_property
    def boundary_f(self) -> dict[float, float]:
        """Boundary F by tolerance."""
        return _boundary_f(self.mask, self.truth)

    @cached_property
    def surface(self) -> SurfaceFit:
        return surface_fit(self.mask, self.truth)

    @cached_property
    def boundary_f_in_crop(self) -> dict[float, float]:
        """Boundary F by tolerance inside :func:`crop_around` the ground truth."""
        mask, truth = self.mask, self.truth
        crop, reach = crop_around(truth), grow(mask.box, 1, mask.frame)
        if intersect(reach, crop) == reach:  # no boundary is cut
            return self.boundary_f
        return _boundary_f(_cropped(mask, crop), _cropped(truth, crop), truth.frame)


class MaskPairs:
    """The pairs of the masks of ``records`` and ``annotations``; each pair is made once.

    Args:
        records, annotations: with compressed RLE.
        ratio: width of the band of Boundary IoU as a share of the image's diagonal.
    """

    def __init__(self, records: Sequence[Record], annotations: Sequence[Record], ratio: float) -> None:
        self._ratio = ratio
        self._pairs: dict[tuple[int, int], MaskPair] = {}
        self.mask = lru_cache(CACHED_MASKS)(lambda index: decode_mask(records[index]["segmentation"]))
        self.truth = lru_cache(CACHED_MASKS)(lambda index: decode_mask(annotations[index]["segmentation"]))
        self.truth_band = lru_cache(CACHED_MASKS)(lambda index: self.band(self.truth(index)))

    def pair(self, record: int, annotation: int) -> MaskPair:
        key = record, annotation
        if key not in self._pairs:
            self._pairs[key] = MaskPair(self, record, annotation)
        return self._pairs[key]

    def band(self, mask: BoxMask) -> BoxMask:
        return boundary_band(mask, boundary_width(mask.frame, self._ratio))


def _boundary_f(mask: BoxMask, truth: BoxMask, frame: tuple[int, int] | None = None) -> dict[float, float]:
    """F by tolerance. Shares of the diagonal refer to ``frame``, by default the frame of the masks."""
    radii = [tolerance_in_pixels(tolerance, frame or truth.frame) for tolerance in TOLERANCES]
    counts = boundary_counts_at(mask, truth, radii)
    return {tolerance: count.f for tolerance, count in zip(TOLERANCES, counts, strict=True)}


def _cropped(mask: BoxMask, box: Box) -> BoxMask:
    """The part of the mask inside ``box``, which becomes its frame."""
    pixels = mask.window(box)
    return BoxMask(pixels, 0, 0, (pixels.shape[0], pixels.shape[1])).trimmed()


def crop_around(truth: BoxMask) -> Box:
    """The box of the mask, extended by half its width to the left and right and by half its height above and below."""
    x0, y0, x1, y1 = truth.box
    dx, dy = (x1 - x0 + 1) // 2, (y1 - y0 + 1) // 2
    return intersect((x0 - dx, y0 - dy, x1 + dx, y1 + dy), (0, 0, truth.frame[1], truth.frame[0]))


PAIR_METRICS = [
    PairMetric("iou", "IoU", "IoU", lambda pair: pair.iou),
    PairMetric("boundary_iou", "BoundaryIoU@{ratio}", "Boundary IoU", lambda pair: pair.boundary_iou),
    PairMetric("boundary_f", f"F@{TOLERANCE}px", f"Boundary F at {TOLERANCE} px", lambda p: p.boundary_f[TOLERANCE]),
]
"""The change of the first one, the mask IoU, is the gain of a pair: it decides between improved and harmed."""
SURFACE_METRICS = [
    PairMetric("nsd", f"NSD@{NSD_TOLERANCE}px", f"NSD at {NSD_TOLERANCE} px", lambda pair: pair.surface.nsd),
    PairMetric("hd95", "HD95 in px", "95 % Hausdorff distance", lambda pair: pair.surface.hd95, False, "px"),
    PairMetric("assd", "ASSD in px", "Mean surface distance", lambda pair: pair.surface.assd, False, "px"),
    PairMetric("weighted_f", "wF", "Weighted F-measure", lambda pair: weighted_f(pair.mask, pair.truth)),
    PairMetric("parts", "parts", "Parts per mask", lambda pair: count_parts(pair.mask), False, "1", count_parts),
    PairMetric("holes", "holes", "Holes per mask", lambda pair: count_holes(pair.mask), False, "1", count_holes),
]
"""The metrics that are computed when they are asked for."""
