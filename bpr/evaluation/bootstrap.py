"""Numbers that can be computed again for a resample of the images, and bootstrap intervals of their change.

Legend: N values, I images, G groups, R resamples. A weight counts how often a resample contains an image.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

NOTHING = -1.0
"""The value of a number where there is nothing to measure."""
BLOCK = 50
"""Resamples held in memory at once; each takes a number per image."""


class Resampled(ABC):
    """A number in [0, 1], or NOTHING, that can be computed for a resample of the images.

    Attributes:
        image_count: how many images there are.
        resamples: how many resamples an interval draws.
    """

    image_count: int
    resamples: ClassVar[int] = 2000

    @property
    def value(self) -> float:
        number = float(self.under(np.ones((1, self.image_count)))[0])
        return NOTHING if np.isnan(number) else number

    @property
    def present(self) -> np.ndarray:
        """(I,) bool: the images that contribute to the number."""
        return np.ones(self.image_count, bool)

    @abstractmethod
    def under(self, weights: np.ndarray) -> np.ndarray:
        """(R,) values when image i counts ``weights[r, i]`` times; NaN where no image contributes."""


@dataclass(frozen=True)
class Fixed:
    """A number from another package, which cannot be resampled."""

    value: float


Number = Fixed | Resampled


@dataclass(frozen=True, eq=False)
class Ratios(Resampled):
    """The mean, over groups, of summed numerators over summed denominators.

    With one group and denominators of 1 it is the mean of N values; with a group per class, a mean over classes.

    Attributes:
        numerators, denominators: (N,) float.
        images: (N,) int, the index of each value's image among the ``image_count`` images.
        groups: (N,) int, 0, 1, ...; by default one group.
        presence: (N,) float; a group counts in the mean if its sum of them is above 0. By default the denominators.

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
    def present(self) -> np.ndarray:
        return np.bincount(self.images, minlength=self.image_count) > 0

    def under(self, weights: np.ndarray) -> np.ndarray:
        numerators, denominators = weights @ self._sums(self.numerators), weights @ self._sums(self.denominators)
        counted = denominators > 0 if self.presence is None else weights @ self._sums(self.presence) > 0
        ratios = np.divide(numerators, denominators, out=np.zeros_like(numerators), where=denominators > 0)
        groups = counted.sum(axis=1)
        return np.where(groups > 0, ratios.sum(axis=1) / np.maximum(groups, 1), np.nan)

    def _sums(self, values: np.ndarray) -> np.ndarray:
        """(I, G) sums of the values by image and group."""
        groups = np.zeros(len(values), int) if self.groups is None else self.groups
        count = int(groups.max()) + 1 if len(groups) else 0
        sums = np.zeros((self.image_count, count))
        np.add.at(sums, (self.images, groups), values)
        return sums


def interval(before: Resampled, after: Resampled) -> tuple[float, float]:
    """95 % percentile interval of after - before; both numbers are computed for the same resampled images.

    Images are drawn and not masks: masks of one image are not independent, and drawing them would make the interval too
    narrow. Both numbers must have a value.
    """
    present = np.flatnonzero(before.present | after.present)
    random, chances = np.random.default_rng(0), np.full(len(present), 1 / len(present))
    changes = []
    for start in range(0, after.resamples, BLOCK):
        weights = np.zeros((min(BLOCK, after.resamples - start), len(before.present)))
        weights[:, present] = random.multinomial(len(present), chances, size=len(weights))
        changes.append(after.under(weights) - before.under(weights))
    low, high = np.nanquantile(np.concatenate(changes), [0.025, 0.975])
    return float(low), float(high)
