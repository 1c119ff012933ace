"""One verdict for a raster: its windows are judged as parts of one image, of which a sample of instances speaks.

A verdict on a mask also looks at the other masks of the image, because they have the same maker. A window shows few of
them, and which ones depends on how the raster is cut into windows; a sample of all instances does not depend on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from typing import Any

import numpy as np

from bpr.geometry.options import AUTO, Leaning
from bpr.refinement.batching import CutImage
from bpr.refinement.refiner import Refiner
from bpr.refinement.verdict.features import Description
from bpr.refinement.verdict.model import Pool, Verdict

SAMPLE = 128
"""Instances of a raster that are refined once in advance."""


def sample_of(chosen: np.ndarray, ranks: np.ndarray) -> list[int]:
    """Indices of records that speak for all, evenly spread in the order of their ranks.

    Args:
        chosen: (N,) indices of records.
        ranks: (N,) their ranks, which do not depend on windows.

    >>> sample_of(np.array([4, 9, 2]), np.array([30, 10, 20]))
    [9, 2, 4]
    """
    ordered = chosen[np.argsort(ranks, kind="stable")]
    count = min(SAMPLE, len(ordered))
    return [int(ordered[place * len(ordered) // count]) for place in range(count)]


class _Sampler(Refiner):
    """Remembers what it is told about masks."""

    def __init__(self, refiner: Refiner) -> None:
        super().__init__(refiner.predictor, refiner.options, refiner.pixels)
        self.found: dict[int, list[tuple[Description, float]]] = {}

    def _judge(
        self, level: int, descriptions: Sequence[Description], scores: Sequence[float]
    ) -> list[tuple[Leaning | None, Verdict]]:
        self.found.setdefault(level, []).extend(zip(descriptions, scores, strict=True))
        return super()._judge(level, descriptions, scores)


def pooled(refiner: Refiner, sample: Iterable[Any]) -> Refiner:
    """The refiner for all parts of an image.

    Args:
        sample: functions that cut one instance each with a given refiner.
    """
    if refiner.options.caution != AUTO:
        return refiner
    sampler = _Sampler(refiner)
    cuts: Iterable[CutImage[Any]] = (cut(sampler) for cut in sample)
    for predicted in sampler.predict(cuts):
        sampler.put_back(predicted)
    of_parts = copy(refiner)
    of_parts.pools = {level: Pool.of(*map(list, zip(*found, strict=True))) for level, found in sampler.found.items()}
    return of_parts
