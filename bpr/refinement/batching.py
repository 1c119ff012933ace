"""Fill fixed-size batches across instances and images, and hand every image its own answers.

Legend: K patches of an image, S window side.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bpr.refinement.clock import StageClock
from bpr.refinement.predictor import Instance, PatchBatch, Predictor


@dataclass(frozen=True)
class CutImage:
    """One image's instances, cut: ``batch`` holds all K patches, ``counts[n]`` how many are instance n's.

    ``before`` counts the patches of earlier passes over the same image, ``left_out`` those that the scheme's budget was
    not spent on, in all passes.
    """

    image: np.ndarray
    instances: Sequence[Instance]
    counts: Sequence[int]
    batch: PatchBatch
    token: Any = None
    before: int = 0
    left_out: int = 0


@dataclass(frozen=True)
class PredictedImage:
    """A :class:`CutImage` and its (K, S, S) float32 probabilities."""

    cut: CutImage
    probabilities: np.ndarray


@dataclass
class _Slot:
    """An image on its way through the network; its first ``asked`` patches have been sent."""

    image: PredictedImage
    asked: int = 0

    @property
    def left(self) -> int:
        return len(self.image.cut.batch) - self.asked

    def take(self, most: int) -> tuple[PatchBatch, np.ndarray]:
        """The next patches, ``most`` at most, and the place for their answers."""
        part = slice(self.asked, self.asked + min(most, self.left))
        self.asked = part.stop
        batch = self.image.cut.batch
        return PatchBatch(batch.patches[part], batch.boxes[part], batch.instances[part]), self.image.probabilities[part]


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
        slots.append(_Slot(PredictedImage(cut, np.empty((len(cut.batch), window, window), np.float32))))
        pending += len(cut.batch)
        while pending >= size:
            with clock.stage("forward"):
                _answer(predictor, slots, size)
            pending -= size
        while slots and not slots[0].left:
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
        if count and slot.left:
            parts.append(slot.take(count))
            count -= len(parts[-1][0])
    batches = [batch for batch, _ in parts]
    together = PatchBatch(
        np.concatenate([batch.patches for batch in batches]),
        np.concatenate([batch.boxes for batch in batches]),
        [instance for batch in batches for instance in batch.instances],
    )
    answers = predictor.predict(together)
    start = 0
    for batch, place in parts:
        place[:] = answers[start : start + len(batch)]
        start += len(batch)


def counts_to_slices(counts: Sequence[int]) -> list[slice]:
    """Where each instance's patches lie.

    >>> counts_to_slices([2, 0, 3])
    [slice(0, 2, None), slice(2, 2, None), slice(2, 5, None)]
    """
    ends = np.cumsum(counts).tolist()
    return [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]
