"""COCO's AP as a sum over images, so that a bootstrap can draw images anew: a second accumulation
beside pycocotools', equal to it where every image is drawn once.

Legend: T thresholds, D detections of a class, I images, R resamples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pycocotools.cocoeval import COCOeval

from bpr.evaluation.average_precision import NAMES
from bpr.evaluation.measured import NOTHING

AREAS = {"AP_S": 1, "AP_M": 2, "AP_L": 3}
THRESHOLDS = {"AP50": 0, "AP75": 5}


@dataclass(frozen=True, eq=False)
class ClassCurve:
    """One class, its detections by score.

    Attributes:
        hits, misses: (T, D) bool; a detection that is ignored is neither.
        images: (D,) int.
        truths: (I,) int, instances of the class to be found in every image.
    """

    hits: np.ndarray
    misses: np.ndarray
    images: np.ndarray
    truths: np.ndarray

    def at(self, threshold: int) -> ClassCurve:
        """The curve at one threshold."""
        own = slice(threshold, threshold + 1)
        return replace(self, hits=self.hits[own], misses=self.misses[own])

    def under(self, weights: np.ndarray) -> np.ndarray:
        """(I,) weights -> AP, the mean over T; NaN where no instance was drawn."""
        drawn, own = float(weights @ self.truths), weights[self.images]
        if not drawn:
            return np.full(len(self.hits), np.nan)
        found = np.cumsum(self.hits * own, axis=1)
        precision = found / np.maximum(found + np.cumsum(self.misses * own, axis=1), np.spacing(1))
        best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        # How many of the recall points 0, .01, .., 1 a detection is the first to reach.
        reached = np.searchsorted(np.linspace(0, 1, 101), found / drawn, side="right")
        return (np.diff(reached, axis=1, prepend=0) * best).sum(axis=1) / 101


@dataclass(frozen=True, eq=False)
class Precision:
    """The mean AP of classes: at ten thresholds or one, of all sizes or one."""

    curves: list[ClassCurve]
    image_count: int

    @property
    def value(self) -> float:
        return float(self.under(np.ones((1, self.image_count)))[0]) if self.curves else NOTHING

    @property
    def present(self) -> np.ndarray:
        return np.ones(self.image_count, bool)

    def under(self, weights: np.ndarray) -> np.ndarray:
        parts = [np.stack([curve.under(row) for row in weights]) for curve in self.curves]
        return nan_mean(np.concatenate(parts, axis=1)) if parts else np.full(len(weights), np.nan)


def nan_mean(values: np.ndarray) -> np.ndarray:
    """(R,) means of the numbers in every row of (R, N), NaN where there is none."""
    known = ~np.isnan(values)
    return np.divide(np.where(known, values, 0).sum(axis=1), known.sum(axis=1), out=np.full(len(values), np.nan), where=known.any(axis=1))


def precisions(evaluation: COCOeval) -> dict[str, Precision]:
    """AP, AP50, AP75, AP_S, AP_M and AP_L of images that have been matched."""
    images = len(evaluation.params.imgIds)
    curves = {area: [curve for _, curve in _curves(evaluation, area)] for area in (0, *AREAS.values())}
    sets = {name: [curve.at(THRESHOLDS[name]) for curve in curves[0]] for name in THRESHOLDS}
    sets |= {name: curves[area] for name, area in AREAS.items()}
    return {name: Precision(sets.get(name, curves[0]), images) for name in NAMES}


def class_precision(evaluation: COCOeval) -> dict[Any, float]:
    """AP by class id, of classes that are annotated."""
    images = len(evaluation.params.imgIds)
    return {key: Precision([curve], images).value for key, curve in _curves(evaluation, 0)}


def _curves(evaluation: COCOeval, area: int) -> Iterator[tuple[Any, ClassCurve]]:
    """The curve of every class that is annotated, beside its id."""
    params = evaluation.params
    images, areas = len(params.imgIds), len(params.areaRng)
    for k, key in enumerate(params.catIds):
        start = (k * areas + area) * images
        parts = [(i, part) for i, part in enumerate(evaluation.evalImgs[start : start + images]) if part is not None]
        truths = np.zeros(images, int)
        for i, part in parts:
            truths[i] = np.count_nonzero(np.asarray(part["gtIgnore"]) == 0)
        if truths.any():
            yield key, _curve(parts, truths)


def _curve(parts: list[tuple[int, dict[str, Any]]], truths: np.ndarray) -> ClassCurve:
    scores = np.concatenate([part["dtScores"] for _, part in parts])
    order = np.argsort(-scores, kind="mergesort")
    matched = np.concatenate([part["dtMatches"] for _, part in parts], axis=1)[:, order] > 0
    counts = ~np.concatenate([part["dtIgnore"] for _, part in parts], axis=1)[:, order].astype(bool)
    images = np.concatenate([np.full(len(part["dtScores"]), i) for i, part in parts])[order]
    return ClassCurve(matched & counts, ~matched & counts, images, truths)
