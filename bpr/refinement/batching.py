"""Fill batches of a fixed size across instances and images, and give every image its probabilities.

Legend: K patches of an image, S window side.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from bpr.refinement.outcome import StageClock
from bpr.refinement.predictor import Instance, PatchBatch, Predictor

Token = TypeVar("Token")


@dataclass(frozen=True, eq=False)
class InstancePatches:
    """The patches of one instance and the network's output for them.

    Attributes:
        boxes: (K, 4) int32 XYXY, half-open, without padding.
        patches: (K, S, S, C) uint8: the channels of the predictor's spec.
        probabilities: (K, S, S) float32 P(foreground).
    """

    boxes: np.ndarray
    patches: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True, eq=False)
class CutImage(Generic[Token]):
    """The instances of one image, cut into patches.

    Attributes:
        instances: of the image.
        counts: how many patches each of them has.
        batch: the patches of all instances.
        left_out: how many patches the budget did not allow.
        token: data of the caller that is kept with the image.
    """

    instances: Sequence[Instance]
    counts: Sequence[int]
    batch: PatchBatch
    left_out: int
    token: Token


@dataclass(frozen=True, eq=False)
class PredictedImage(Generic[Token]):
    """A :class:`CutImage` and the (K, S, S) float32 probabilities of its batch."""

    cut: CutImage[Token]
    probabilities: np.ndarray

    def by_instance(self) -> list[InstancePatches]:
        """The patches of every instance."""
        batch, slices = self.cut.batch, counts_to_slices(self.cut.counts)
        return [InstancePatches(batch.boxes[part], batch.patches[part], self.probabilities[part]) for part in slices]


@dataclass
class _Waiting(Generic[Token]):
    """An image of whose patches ``predicted`` went through the network."""

    image: PredictedImage[Token]
    predicted: int = 0

    @property
    def left(self) -> int:
        return len(self.image.cut.batch) - self.predicted


def predict_images(
    predictor: Predictor, cuts: Iterable[CutImage[Token]], clock: StageClock | None = None
) -> Iterator[PredictedImage[Token]]:
    """Every image with its probabilities, in order.

    Every batch but the last has exactly ``predictor.batch_size`` patches, so the content of a batch depends only on the
    order of the images. The clock may end it early (:attr:`StageClock.given_up`).
    """
    clock = clock or StageClock()
    size, window = predictor.batch_size, predictor.spec.window
    waiting: deque[_Waiting[Token]] = deque()
    seen = pending = 0
    for cut in cuts:
        waiting.append(_Waiting(PredictedImage(cut, np.empty((len(cut.batch), window, window), np.float32))))
        pending += len(cut.batch)
        seen += len(cut.batch)
        while pending >= size and not clock.given_up():
            with clock.stage("forward"):
                _predict_next(predictor, waiting, size)
            pending -= size
            clock.on_patches(seen - pending, seen)
        while waiting and not waiting[0].left:
            yield waiting.popleft().image
        if pending >= size:
            return
    if pending and not clock.given_up():
        with clock.stage("forward"):
            _predict_next(predictor, waiting, pending)
        clock.on_patches(seen, seen)
    yield from (item.image for item in waiting if not item.left)


def _predict_next(predictor: Predictor, waiting: Iterable[_Waiting[Any]], count: int) -> None:
    """Predict the next ``count`` patches, and write their probabilities to the images they are from."""
    parts: list[tuple[PatchBatch, np.ndarray]] = []
    for item in waiting:
        if count and item.left:
            part = slice(item.predicted, item.predicted + min(count, item.left))
            item.predicted = part.stop
            count -= part.stop - part.start
            batch = item.image.cut.batch
            piece = PatchBatch(batch.patches[part], batch.boxes[part], batch.instances[part])
            parts.append((piece, item.image.probabilities[part]))
    batches = [batch for batch, _ in parts]
    answers = predictor.predict(batches[0] if len(batches) == 1 else _joined(batches))
    start = 0
    for batch, probabilities in parts:
        probabilities[:] = answers[start : start + len(batch)]
        start += len(batch)


def _joined(batches: Sequence[PatchBatch]) -> PatchBatch:
    return PatchBatch(
        np.concatenate([batch.patches for batch in batches]),
        np.concatenate([batch.boxes for batch in batches]),
        [instance for batch in batches for instance in batch.instances],
    )


def counts_to_slices(counts: Sequence[int]) -> list[slice]:
    """Where the patches of every instance lie.

    >>> counts_to_slices([2, 0, 3])
    [slice(0, 2, None), slice(2, 2, None), slice(2, 5, None)]
    """
    ends = np.cumsum(counts).tolist()
    return [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]
