"""COCO's AP, accumulated so that the images can be resampled. With every image counted once it equals pycocotools' AP.

Legend: T thresholds, D detections of a class, I images, R resamples.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from pycocotools.cocoeval import COCOeval

from bpr.errors import BPRError, install_hint
from bpr.evaluation.bootstrap import Resampled
from bpr.evaluation.matching import by_class, coco_index, silently
from bpr.evaluation.prepare import Document
from bpr.formats.coco import Record

ALL = slice(None)
NAMES = {
    "AP": (0, ALL),
    "AP50": (0, slice(0, 1)),
    "AP75": (0, slice(5, 6)),
    "AP_S": (1, ALL),
    "AP_M": (2, ALL),
    "AP_L": (3, ALL),
}
"""AP over IoU .50:.05:.95, at .50, at .75, and by size of the ground truth (limits 32^2 and 96^2 px).

The values are an index into pycocotools' ``areaRng``, of which 0 stands for all sizes, and a part of its ``iouThrs``.
"""


@dataclass(frozen=True, eq=False)
class ClassCurve:
    """The detections of one class, ordered by score.

    Attributes:
        hits, misses: (T, D) bool, true and false positives; an ignored detection is neither.
        images: (D,) int, the index of each detection's image.
        truths: (I,) int, how many instances of the class each image has.
    """

    hits: np.ndarray
    misses: np.ndarray
    images: np.ndarray
    truths: np.ndarray

    def at(self, thresholds: slice) -> ClassCurve:
        """The curve at some of the thresholds."""
        return replace(self, hits=self.hits[thresholds], misses=self.misses[thresholds])

    def under(self, weights: np.ndarray) -> np.ndarray:
        """(T,) AP when image i counts ``weights[i]`` times; NaN where that leaves no instance."""
        truths, detections = float(weights @ self.truths), weights[self.images]
        if not truths:
            return np.full(len(self.hits), np.nan)
        hits = np.cumsum(self.hits * detections, axis=1)
        precision = hits / np.maximum(hits + np.cumsum(self.misses * detections, axis=1), np.spacing(1))
        best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        # How many of the recall points 0, .01, .., 1 the detections up to each one reach.
        reached = np.searchsorted(np.linspace(0, 1, 101), hits / truths, side="right")
        return (np.diff(reached, axis=1, prepend=0) * best).sum(axis=1) / 101


@dataclass(frozen=True, eq=False)
class AveragePrecision(Resampled):
    """The mean AP of classes, at ten thresholds or one, of all sizes or one."""

    curves: list[ClassCurve]
    image_count: int
    resamples = 200
    """Fewer resamples than for other numbers, because each one has to be accumulated again."""

    def under(self, weights: np.ndarray) -> np.ndarray:
        parts = [np.stack([curve.under(row) for row in weights]) for curve in self.curves]
        if not parts:
            return np.full(len(weights), np.nan)
        values = np.concatenate(parts, axis=1)
        known = ~np.isnan(values)
        sums, counts = np.where(known, values, 0).sum(axis=1), known.sum(axis=1)
        return np.divide(sums, counts, out=np.full(len(values), np.nan), where=counts > 0)


def average_precisions(evaluation: COCOeval) -> dict[str, AveragePrecision]:
    """The numbers of NAMES from pycocotools' matching (:mod:`bpr.evaluation.matching`).

    A number is -1 where the annotations have no such instance, and 0 where they have some and none was detected.
    """
    images = len(evaluation.params.imgIds)
    curves = [[curve for _, curve in class_curves(evaluation, area)] for area in range(4)]
    return {name: AveragePrecision([curve.at(part) for curve in curves[area]], images) for name, (area, part) in NAMES.items()}


def fast_precision(
    records: Sequence[Record], document: Document, kind: Literal["segm", "boundary"], ratio: float
) -> dict[str, float]:
    """The numbers of NAMES by faster-coco-eval: the same in a fraction of the time, for very large files.

    Args:
        kind: match by mask IoU, or by the smaller of mask IoU and Boundary IoU at ``ratio``.

    Raises:
        BPRError: the package is not installed.
    """
    try:
        package: Any = importlib.import_module("faster_coco_eval")
    except ImportError as error:
        hint = install_hint("fast-eval")
        raise BPRError(f"--fast: expected the faster-coco-eval package, got none; {hint}") from error
    truths, detections = coco_index(records, document, package.COCO)
    quiet: Any = lambda *words: None  # noqa: E731
    evaluation = package.COCOeval_faster(truths, detections, kind, print_function=quiet, boundary_dilation_ratio=ratio)
    silently(evaluation, "evaluate", "accumulate", "summarize")
    return {name: float(value) for name, value in zip(NAMES, evaluation.stats, strict=False)}


def class_curves(evaluation: COCOeval, area: int = 0) -> Iterator[tuple[int, ClassCurve]]:
    """The number (:func:`bpr.evaluation.matching.numbered`) and the curve of every annotated class."""
    images = len(evaluation.params.imgIds)
    for number, parts in enumerate(by_class(evaluation, area), 1):
        truths = np.zeros(images, int)
        for image, matching in parts:
            truths[image] = np.count_nonzero(np.asarray(matching["gtIgnore"]) == 0)
        if not truths.any():
            continue
        scores = np.concatenate([matching["dtScores"] for _, matching in parts])
        order = np.argsort(-scores, kind="mergesort")
        matched = np.concatenate([matching["dtMatches"] for _, matching in parts], axis=1)[:, order] > 0
        counts = ~np.concatenate([matching["dtIgnore"] for _, matching in parts], axis=1)[:, order].astype(bool)
        places = np.concatenate([np.full(len(matching["dtScores"]), image) for image, matching in parts])[order]
        yield number, ClassCurve(matched & counts, ~matched & counts, places, truths)
