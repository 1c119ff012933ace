"""One file of detections beside the truth, with what several metrics share worked out once, when the first asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from pycocotools.cocoeval import COCOeval

from bpr.evaluation.average_precision import match_detections
from bpr.evaluation.boundary_precision import match_boundaries
from bpr.evaluation.fits import TOLERANCES, Fits, FitTable
from bpr.evaluation.inputs import Detections, Document
from bpr.evaluation.matched_pairs import Pair, match_pairs


class TruePositives(NamedTuple):
    """(N,) each: records and annotations by their place, the group of their class and IoU threshold, their image."""

    pairs: list[tuple[int, int]]
    groups: np.ndarray
    images: np.ndarray


@dataclass(frozen=True)
class Protocol:
    """Whose rules: the name that stands with COCO's numbers, and the band of Boundary IoU as a share of the diagonal."""

    label: str
    ratio: float


PROTOCOLS = {
    "coco": Protocol("COCO", 0.02),
    "lvis": Protocol("COCO-style on LVIS", 0.02),
    "cityscapes": Protocol("COCO-style on Cityscapes", 0.005),
}


class Case:
    """What the metrics of :mod:`bpr.evaluation.metrics` work on.

    Args:
        detections: :func:`check_detections` gave them.
        document: :func:`check_annotations` gave it.
        coarse: the case whose matched pairs are looked at; its own where there is none.
    """

    def __init__(self, detections: Detections, document: Document, protocol: Protocol, coarse: Case | None = None) -> None:
        self.records, self.document, self.protocol = detections.records, document, protocol
        self._coarse = coarse
        self.fits = FitTable(self.records, document["annotations"], protocol.ratio)
        self.image_count = len(document["images"])
        self._place = {image_id: place for place, image_id in enumerate(sorted(image["id"] for image in document["images"]))}

    def places(self, image_ids: Sequence[Any]) -> np.ndarray:
        """(N,) int: the place of every image among the sorted ids, which is pycocotools' order."""
        return np.array([self._place[image_id] for image_id in image_ids], int)

    @cached_property
    def masks(self) -> COCOeval:
        """Matched by mask IoU."""
        return match_detections(self.records, self.document)

    @cached_property
    def boundaries(self) -> COCOeval:
        """Matched by the smaller of mask and Boundary IoU."""
        return match_boundaries(self.masks, self.fits.boundary_iou)

    @cached_property
    def pairs(self) -> list[Pair]:
        """The matched pairs, found on the coarse masks."""
        return self._coarse.pairs if self._coarse else match_pairs(self.records, self.document)

    @cached_property
    def pair_fits(self) -> Fits:
        """How well the records of this file fit at the matched pairs."""
        return self.fits.at(self.pair_keys)

    def pair_f(self, tolerance: float) -> np.ndarray:
        """(N,) boundary F of the matched pairs at one of TOLERANCES."""
        return self.pair_fits.f[:, TOLERANCES.index(tolerance)]

    @property
    def pair_keys(self) -> list[tuple[int, int]]:
        return [(pair.record, pair.place) for pair in self.pairs]

    @cached_property
    def pair_images(self) -> np.ndarray:
        return self.places([pair.image_id for pair in self.pairs])

    @cached_property
    def true_positives(self) -> TruePositives:
        """Matches of COCOeval at its ten thresholds, all sizes, with instances that count."""
        params, pairs, groups, images = self.masks.params, [], [], []
        areas, count = len(params.areaRng), len(params.imgIds)
        for k in range(len(params.catIds)):
            for image, part in enumerate(self.masks.evalImgs[k * areas * count : k * areas * count + count]):
                if part is None:
                    continue
                thresholds, columns = np.nonzero((part["dtMatches"] > 0) & ~np.asarray(part["dtIgnore"], bool))
                pairs += [(part["dtIds"][d] - 1, int(part["dtMatches"][t, d]) - 1) for t, d in zip(thresholds, columns, strict=True)]
                groups += (k * len(params.iouThrs) + thresholds).tolist()
                images += [image] * len(thresholds)
        return TruePositives(pairs, np.array(groups, int), np.array(images, int))
