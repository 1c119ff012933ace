"""Fill batches of a fixed size across instances and images, and give every image its probabilities.

Legend: K patches of an image, S window side.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np

from bpr.refinement.outcome import StageClock
from bpr.refinement.predictor import Instance, PatchBatch, Predictor
from bpr.refinement.workbench import Workbench, counts_to_slices, workbench_of

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
        left_out: how many patches the budget did not allow, here and at coarser levels.
        token: data of the caller that is kept with the image.
        earlier: how many patches of the image were predicted at coarser levels.
        finer: cuts the same image at the next finer level, once it is predicted at this one; None at its own scale.
    """

    instances: Sequence[Instance]
    counts: Sequence[int]
    batch: PatchBatch
    left_out: int
    token: Token
    earlier: int = 0
    finer: Callable[[PredictedImage[Token]], CutImage[Token]] | None = None


@dataclass(frozen=True, eq=False)
class PredictedImage(Generic[Token]):
    """A :class:`CutImage` and the (K, S, S) float32 probabilities of its batch."""

    cut: CutImage[Token]
    probabilities: np.ndarray

    def by_instance(self) -> list[InstancePatches]:
        """The patches of every instance."""
        batch, slices = self.cut.batch, counts_to_slices(self.cut.counts)
        return [InstancePatches(batch.boxes[part], batch.patches[part], self.probabilities[part]) for part in slices]

    def in_memory(self, workbench: Workbench) -> PredictedImage[Token]:
        """The same with patches and probabilities in NumPy."""
        batch = replace(self.cut.batch, patches=workbench.in_memory(self.cut.batch.patches))
        return PredictedImage(replace(self.cut, batch=batch), workbench.in_memory(self.probabilities))


@dataclass
class _Waiting(Generic[Token]):
    """An image at the level that it has reached, of whose patches ``predicted`` went through the network."""

    image: PredictedImage[Token]
    predicted: int = 0

    @property
    def left(self) -> int:
        return len(self.image.cut.batch) - self.predicted

    @property
    def done(self) -> bool:
        return not self.left and self.image.cut.finer is None


def predict_images(
    predictor: Predictor, cuts: Iterable[CutImage[Token]], clock: StageClock | None = None
) -> Iterator[PredictedImage[Token]]:
    """Every image with its probabilities at its own scale, in order.

    Images and levels share the batches. Until the last image is drawn, every batch has exactly ``predictor.batch_size``
    patches. The content of a batch depends only on the order of the images. The clock may end it early
    (:attr:`StageClock.given_up`).
    """
    clock = clock or StageClock()
    size, window, workbench = predictor.batch_size, predictor.spec.window, workbench_of(predictor)
    images: deque[_Waiting[Token]] = deque()  # in the order of the cuts
    queue: deque[_Waiting[Token]] = deque()  # in the order in which their patches are predicted
    seen = done = 0

    def unanswered(cut: CutImage[Token]) -> PredictedImage[Token]:
        nonlocal seen
        seen += len(cut.batch)
        return PredictedImage(cut, workbench.unanswered(len(cut.batch), window))

    def pending() -> int:
        """How many patches wait, after the images that were predicted at a coarse level were cut at the next one."""
        while queue and not queue[0].left:
            item = queue.popleft()
            if item.image.cut.finer is not None:
                with clock.stage("next level"):
                    item.image, item.predicted = unanswered(item.image.cut.finer(item.image)), 0
                queue.append(item)
        return sum(item.left for item in queue)

    def predict(count: int) -> None:
        nonlocal done
        with clock.stage("forward"):
            _predict_next(predictor, queue, count)
        done += count
        clock.on_patches(done, seen)

    for cut in cuts:
        images.append(_Waiting(unanswered(cut)))
        queue.append(images[-1])
        while pending() >= size and not clock.given_up():
            predict(size)
        while images and images[0].done:
            yield images.popleft().image
        if pending() >= size:
            return
    while (left := pending()) and not clock.given_up():
        predict(min(left, size))
    yield from (item.image for item in images if item.done)


def _predict_next(predictor: Predictor, queue: Iterable[_Waiting[Any]], count: int) -> None:
    """Predict the next ``count`` patches, and write their probabilities to the images they are from."""
    parts: list[tuple[PatchBatch, np.ndarray]] = []
    for item in queue:
        if count and item.left:
            part = slice(item.predicted, item.predicted + min(count, item.left))
            item.predicted = part.stop
            count -= part.stop - part.start
            batch = item.image.cut.batch
            piece = PatchBatch(batch.patches[part], batch.boxes[part], batch.instances[part])
            parts.append((piece, item.image.probabilities[part]))
    batches = [batch for batch, _ in parts]
    answers = predictor.predict(batches[0] if len(batches) == 1 else _joined(batches, workbench_of(predictor)))
    start = 0
    for batch, probabilities in parts:
        probabilities[:] = answers[start : start + len(batch)]
        start += len(batch)


def _joined(batches: Sequence[PatchBatch], workbench: Workbench) -> PatchBatch:
    return PatchBatch(
        workbench.joined([batch.patches for batch in batches]),
        np.concatenate([batch.boxes for batch in batches]),
        [instance for batch in batches for instance in batch.instances],
    )
