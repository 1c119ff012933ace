"""A metric's number with what a bootstrap over images needs to draw it anew.

Legend: N measurements, I images, G groups, R resamples. A weight says how often an image was drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

NOTHING = -1.0
"""The value where there is nothing to measure."""
BLOCK = 50
"""Resamples that are held in memory at once: each is a number for every image."""
RESAMPLES = 2000
"""How often images are drawn anew, unless a number is dear to make."""


class Resampled(Protocol):
    """A number in [0, 1], or NOTHING, that can be drawn anew."""

    @property
    def value(self) -> float: ...

    @property
    def present(self) -> np.ndarray:
        """(I,) bool: the images that have a part in the number."""
        ...

    def under(self, weights: np.ndarray) -> np.ndarray:
        """(R,) values when image i counts ``weights[r, i]`` times; NaN where nothing was drawn."""
        ...


@dataclass(frozen=True)
class Fixed:
    """A number of another's evaluation, which cannot be drawn anew."""

    value: float


Measured = Fixed | Resampled


@dataclass(frozen=True, eq=False)
class Ratios:
    """The mean over groups of summed numerators over summed denominators: the mean of instances where there is one group and
    every denominator is 1, a class mean where a group is a class.

    Attributes:
        numerators, denominators: (N,) float.
        images: (N,) int, which of the ``image_count`` images each belongs to.
        groups: (N,) int, 0, 1, ...
        presence: (N,) float: a group has a part in the mean where their sum is above 0; by default the denominators.

    >>> Ratios(np.array([1.0, 0.0, 0.5]), np.ones(3), np.array([0, 0, 1]), 2, np.array([0, 0, 1])).value
    0.5
    """

    numerators: np.ndarray
    denominators: np.ndarray
    images: np.ndarray
    image_count: int
    groups: np.ndarray | None = None
    presence: np.ndarray | None = None

    @classmethod
    def mean(cls, values: np.ndarray, images: np.ndarray, image_count: int, groups: np.ndarray | None = None) -> Ratios:
        """The mean of (N,) values, or the mean over the groups of their means."""
        return cls(np.asarray(values, float), np.ones(len(values)), np.asarray(images, int), image_count, groups)

    @property
    def value(self) -> float:
        number = float(self.under(np.ones((1, self.image_count)))[0]) if len(self.numerators) else np.nan
        return NOTHING if np.isnan(number) else number

    @property
    def present(self) -> np.ndarray:
        return np.bincount(self.images, minlength=self.image_count) > 0

    def under(self, weights: np.ndarray) -> np.ndarray:
        above, below = weights @ self._by_image(self.numerators), weights @ self._by_image(self.denominators)
        held = below > 0 if self.presence is None else weights @ self._by_image(self.presence) > 0
        ratios = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
        counts = held.sum(axis=1)
        return np.where(counts > 0, ratios.sum(axis=1) / np.maximum(counts, 1), np.nan)

    def _by_image(self, values: np.ndarray) -> np.ndarray:
        """(I, G) sums."""
        groups = np.zeros(len(values), int) if self.groups is None else self.groups
        count = int(groups.max()) + 1 if len(groups) else 0
        sums = np.zeros((self.image_count, count))
        np.add.at(sums, (self.images, groups), values)
        return sums


def interval(before: Resampled, after: Resampled, resamples: int = RESAMPLES, seed: int = 0) -> tuple[float, float]:
    """95 % percentile interval of after - before when the same images are drawn with replacement for both; both have a value.

    What lies in one image shares its difficulties: drawing single masks would make the interval too narrow.
    """
    present = np.flatnonzero(before.present | after.present)
    random, chances = np.random.default_rng(seed), np.full(len(present), 1 / len(present))
    changes = []
    for start in range(0, resamples, BLOCK):
        weights = np.zeros((min(BLOCK, resamples - start), len(before.present)))
        weights[:, present] = random.multinomial(len(present), chances, size=len(weights))
        changes.append(after.under(weights) - before.under(weights))
    low, high = np.nanquantile(np.concatenate(changes), [0.025, 0.975])
    return float(low), float(high)
