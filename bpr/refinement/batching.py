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


@dataclass(frozen=True, eq=False)
class InstancePatches:
    """What the network saw of one instance and said to it.

    Attributes:
        boxes: (K, 4) int32 XYXY, half-open, without padding.
        patches: (K, S, S, C) uint8: RGB, mask as 0/255, further inputs of the scheme.
        probabilities: (K, S, S) float32 P(foreground).
    """

    boxes: np.ndarray
    patches: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True, eq=False)
class CutImage:
    """One image's instances, cut: ``batch`` holds all K patches for the network, ``counts[n]`` of them of instance n.

    Attributes:
        instances: whose masks the patches are put back on.
        seen: the masks that the patches show.
        earlier: what an earlier pass, to which this one adds, saw and said.
        before: how many patches went through the network in earlier passes.
        left_out: how many patches the scheme's budget was not spent on, in all passes.
    """

    image: np.ndarray
    instances: Sequence[Instance]
    counts: Sequence[int]
    batch: PatchBatch
    seen: Sequence[BoxMask]
    token: Any = None
    earlier: PredictedImage | None = None
    before: int = 0
    left_out: int = 0

    @property
    def patches(self) -> int:
        """How many went, or will go, through the network, in all passes so far."""
        return self.before + len(self.batch)


@dataclass(frozen=True, eq=False)
class PredictedImage:
    """A :class:`CutImage` and the (K, S, S) float32 probabilities of its batch."""

    cut: CutImage
    probabilities: np.ndarray

    def by_instance(self) -> list[InstancePatches]:
        """Every instance's patches, those of the earlier pass first."""
        batch, slices = self.cut.batch, counts_to_slices(self.cut.counts)
        own = [InstancePatches(batch.boxes[place], batch.patches[place], self.probabilities[place]) for place in slices]
        if self.cut.earlier is None:
            return own
        return [_joined(*parts) for parts in zip(self.cut.earlier.by_instance(), own, strict=True)]


def _joined(old: InstancePatches, new: InstancePatches) -> InstancePatches:
    return InstancePatches(
        np.concatenate([old.boxes, new.boxes]),
        np.concatenate([old.patches, new.patches]),
        np.concatenate([old.probabilities, new.probabilities]),
    )


@dataclass
class _Slot:
    """An image on its way through the network, of whose patches ``sent`` were sent."""

    image: PredictedImage
    sent: int = 0

    @property
    def left(self) -> int:
        return len(self.image.cut.batch) - self.sent

    def take(self, most: int) -> tuple[PatchBatch, Callable[[np.ndarray], None]]:
        """The next patches, ``most`` at most, and what puts their answers in their places."""
        batch, place = self.image.cut.batch, slice(self.sent, self.sent + min(most, self.left))
        self.sent = place.stop
        asked = PatchBatch(batch.patches[place], batch.boxes[place], batch.instances[place])
        return asked, partial(self.image.probabilities.__setitem__, place)


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
