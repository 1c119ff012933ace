"""Fill fixed-size batches across instances and images, and hand every image its own answers.

Legend: K patches of an image, S window side.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from bpr.geometry.masks import BoxMask
from bpr.refinement.clock import StageClock
from bpr.refinement.predictor import Instance, PatchBatch, Predictor


@dataclass(frozen=True)
class CutImage:
    """One image's instances, cut: ``batch`` holds all K patches, ``counts[n]`` how many are instance n's.

    ``before`` counts the patches of earlier passes over the same image, ``left_out`` those that the scheme's budget was
    not spent on, in all passes. Patches whose ``answers``, (K, S, S) float32, are known from an earlier pass are not
    among the indices ``asked``; without answers all are. ``seen`` are the masks that the newest patches show; those of
    ``instances`` are what the patches are put back on.
    """

    image: np.ndarray
    instances: Sequence[Instance]
    counts: Sequence[int]
    batch: PatchBatch
    seen: Sequence[BoxMask]
    token: Any = None
    before: int = 0
    left_out: int = 0
    answers: np.ndarray | None = None
    asked: np.ndarray | None = None

    @property
    def to_ask(self) -> np.ndarray:
        """Indices of the patches for the network."""
        return np.arange(len(self.batch)) if self.asked is None else self.asked

    @property
    def patches(self) -> int:
        """How many went, or will go, through the network, in all passes so far."""
        return self.before + len(self.to_ask)


@dataclass(frozen=True)
class PredictedImage:
    """A :class:`CutImage` and its (K, S, S) float32 probabilities."""

    cut: CutImage
    probabilities: np.ndarray


@dataclass
class _Slot:
    """An image on its way through the network, and the indices of its patches that have not been sent."""

    image: PredictedImage
    left: np.ndarray

    def take(self, most: int) -> tuple[PatchBatch, Callable[[np.ndarray], None]]:
        """The next patches, ``most`` at most, and what puts their answers in their places."""
        part, self.left = self.left[:most], self.left[most:]
        batch, place = self.image.cut.batch, _run_or_indices(part)
        asked = PatchBatch(batch.patches[place], batch.boxes[place], [batch.instances[index] for index in part.tolist()])
        return asked, partial(self.image.probabilities.__setitem__, place)


def _run_or_indices(indices: np.ndarray) -> slice | np.ndarray:
    """Rising indices without gaps as a slice, which copies nothing."""
    first, last = int(indices[0]), int(indices[-1])
    return slice(first, last + 1) if last - first + 1 == len(indices) else indices


def predict_images(predictor: Predictor, cuts: Iterable[CutImage], clock: StageClock | None = None) -> Iterator[PredictedImage]:
    """Every image with its probabilities, in order.

    Every batch but the last has exactly ``predictor.batch_size`` patches, so what is in a batch depends on the order
    of the images alone.
    """
    clock = clock or StageClock()
    size, window = predictor.batch_size, predictor.scheme.window
    slots: deque[_Slot] = deque()
    pending = 0
    for cut in cuts:
        answers = np.empty((len(cut.batch), window, window), np.float32) if cut.answers is None else cut.answers
        slots.append(_Slot(PredictedImage(cut, answers), cut.to_ask))
        pending += len(cut.to_ask)
        while pending >= size:
            with clock.stage("forward"):
                _answer(predictor, slots, size)
            pending -= size
        while slots and not slots[0].left.size:
            yield slots.popleft().image
    if pending:
        with clock.stage("forward"):
            _answer(predictor, slots, pending)
    for slot in slots:
        yield slot.image


def _answer(predictor: Predictor, slots: Iterable[_Slot], count: int) -> None:
    """Predict the first ``count`` patches not yet sent and write the answers where they belong."""
    parts = []
    for slot in slots:
        if count and slot.left.size:
            parts.append(slot.take(count))
            count -= len(parts[-1][0])
    batches = [batch for batch, _ in parts]
    answers = predictor.predict(batches[0] if len(batches) == 1 else _one_batch(batches))
    start = 0
    for batch, put in parts:
        put(answers[start : start + len(batch)])
        start += len(batch)


def _one_batch(batches: Sequence[PatchBatch]) -> PatchBatch:
    return PatchBatch(
        np.concatenate([batch.patches for batch in batches]),
        np.concatenate([batch.boxes for batch in batches]),
        [instance for batch in batches for instance in batch.instances],
    )


def owners(instances: Sequence[Instance], counts: Sequence[int]) -> list[Instance]:
    """The instance of every patch, where instance n has ``counts[n]``."""
    return [instance for instance, count in zip(instances, counts, strict=True) for _ in range(count)]


def counts_to_slices(counts: Sequence[int]) -> list[slice]:
    """Where each instance's patches lie.

    >>> counts_to_slices([2, 0, 3])
    [slice(0, 2, None), slice(2, 2, None), slice(2, 5, None)]
    """
    ends = np.cumsum(counts).tolist()
    return [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]
