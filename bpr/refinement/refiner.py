"""Refine the masks of an image: cut every boundary patch, predict, put the patches back.

Legend: N instances of one image, H W image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bpr.geometry.masks import BoxMask
from bpr.geometry.patches import crop_patches
from bpr.geometry.proposals import pass_boxes, withdrawn_boxes
from bpr.geometry.reassembly import mean_probability, put_back
from bpr.geometry.selection import select_boxes
from bpr.io.images import read_image
from bpr.refinement.batching import CutImage, InstancePatches, PredictedImage, counts_to_slices, owners, predict_images
from bpr.refinement.clock import StageClock
from bpr.refinement.exclusive import apart
from bpr.refinement.mask_types import Adapter, adapter_for
from bpr.refinement.pipeline import ordered_map
from bpr.refinement.predictor import Instance, PatchBatch, Predictor

Image = np.ndarray | str | Path


class Refinement(NamedTuple):
    """Refined masks and what was asked for beside them; what was not is None.

    Attributes:
        masks: of the type that came in.
        probability: float32 in the shape of the masks, (N, H, W) for lists and detections: the mean P of the patches on
            a pixel, the coarse 0 or 1 where none lies. P > 0.5 is the refined mask. A tensor where masks are one.
        patches: one :class:`InstancePatches` per instance.
    """

    masks: Any
    probability: Any = None
    patches: list[InstancePatches] | None = None


class _Given(NamedTuple):
    """What a user passed, on its way through the network."""

    masks: Any
    adapter: Adapter
    frame: tuple[int, int]


class Refiner:
    """Refines masks with a predictor. It keeps no state between calls, so threads may share it.

    >>> from bpr.refinement.predictor import IdentityPredictor
    >>> image, masks = np.zeros((90, 120, 3), np.uint8), np.zeros((1, 90, 120), bool)
    >>> masks[0, 20:70, 30:90] = True
    >>> refiner = Refiner(IdentityPredictor())
    >>> np.array_equal(refiner(image, masks), masks)
    True
    >>> [int(refined.sum()) for refined in refiner.stream([(image, masks), (image, masks[:0])])]
    [3000, 0]
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def __call__(self, image: Image, masks: Any, *, return_probability: bool = False, return_patches: bool = False) -> Any:
        """Refine the masks of one image.

        Args:
            image: (H, W, 3) uint8 RGB, or a file.
            masks: (N, H, W) or (H, W) array or torch tensor: bool, integers (0 and one value) or probabilities
                (> 0.5 is); a list of COCO RLEs or polygons; ``supervision.Detections``; or what another library of
                docs/neighbours.md returns for one image.
            return_probability: also return the mean probability of every pixel.
            return_patches: also return what the network saw and said.

        Returns:
            What ``masks`` was, refined: the same type, dtype and device, integers with their foreground value, floats
            as 0 and 1, polygons as RLE. A mask that would vanish stays as it was. With ``return_probability`` or
            ``return_patches``: a :class:`Refinement`.

        Raises:
            ValueError: shapes, types or values that do not fit.
            BPRError: an image file or an RLE that cannot be read.
        """
        return next(self.stream([(image, masks)], return_probability=return_probability, return_patches=return_patches))

    def stream(
        self, pairs: Iterable[tuple[Image, Any]], *, return_probability: bool = False, return_patches: bool = False
    ) -> Iterator[Any]:
        """Refine many images: what :meth:`__call__` returns for every (image, masks) pair, in order.

        Batches are filled across images: pairs are drawn as the network needs them, and a result comes once its
        patches have been predicted, which may take later pairs. On the CPU a stream gives, bit for bit, what single
        calls give (tested with the starter model); a runtime whose arithmetic depends on the batch need not.
        """
        for predicted in self.predict((self._cut_given(*pair) for pair in pairs), put_back=self._put_back_given):
            masks, adapter, _ = predicted.cut.token
            refined = adapter.write(masks, self._put_back_given(predicted))
            if return_probability or return_patches:
                probability = self._probability(predicted) if return_probability else None
                yield Refinement(refined, probability, predicted.by_instance() if return_patches else None)
            else:
                yield refined

    def cut(self, image: np.ndarray, instances: Sequence[Instance], token: Any = None, at: int = 0) -> CutImage:
        """Cut the patches of pass ``at`` of an image's instances that the scheme's budget is spent on, each inside its own box."""
        proposed = [pass_boxes(instance.mask, self.predictor.scheme, at) for instance in instances]
        return self._cut(image, instances, proposed, token)

    def _cut(self, image: np.ndarray, instances: Sequence[Instance], proposed: Sequence[np.ndarray], token: Any) -> CutImage:
        scheme = self.predictor.scheme
        masks, scores = [instance.mask for instance in instances], [instance.score for instance in instances]
        boxes = select_boxes(image, masks, scores, proposed, scheme)
        counts = [len(own) for own in boxes]
        patches = np.empty((sum(counts), scheme.window, scheme.window, scheme.channels), np.uint8)
        for instance, own, place in zip(instances, boxes, counts_to_slices(counts), strict=True):
            crop_patches(image, instance.mask, own, scheme, out=patches[place])
        batch = PatchBatch(patches, np.concatenate([np.empty((0, 4), np.int32), *boxes]), owners(instances, counts))
        return CutImage(image, instances, counts, batch, masks, token, left_out=sum(map(len, proposed)) - len(batch))

    def predict(
        self,
        cuts: Iterable[CutImage],
        clock: StageClock | None = None,
        put_back: Callable[[PredictedImage], list[BoxMask]] | None = None,
        workers: int = 0,
    ) -> Iterator[PredictedImage]:
        """Every image with its probabilities, in order: those of the last pass and of the passes that it adds patches to.

        Args:
            put_back: what makes masks of a pass for the next one to refine (default: :meth:`put_back`).
            workers: threads that put back and cut between two passes.
        """
        clock, put_back = clock or StageClock(), put_back or self.put_back

        def cut_again(predicted: PredictedImage, at: int) -> CutImage:
            cut = predicted.cut
            with clock.stage("put back"):
                masks = put_back(predicted)
            refined = [replace(instance, mask=mask) for instance, mask in zip(cut.instances, masks, strict=True)]
            with clock.stage("cut"):
                adds = self.predictor.scheme.looks_again(at)
                again = self._look_again(predicted, refined) if adds else self.cut(cut.image, refined, cut.token, at)
                return replace(again, before=cut.patches, left_out=cut.left_out + again.left_out)

        for at in range(1, len(self.predictor.scheme.pass_sides)):
            cuts = ordered_map(partial(cut_again, at=at), predict_images(self.predictor, cuts, clock), workers)
        return predict_images(self.predictor, cuts, clock)

    def _look_again(self, predicted: PredictedImage, refined: Sequence[Instance]) -> CutImage:
        """Patches where boundaries have withdrawn, to be put back together with those so far, on the same masks."""
        cut, scheme = predicted.cut, self.predictor.scheme
        proposed = [withdrawn_boxes(seen, instance.mask, scheme) for seen, instance in zip(cut.seen, refined, strict=True)]
        return replace(self._cut(cut.image, refined, proposed, cut.token), instances=cut.instances, earlier=predicted)

    def put_back(self, predicted: PredictedImage, exclusive: bool = False) -> list[BoxMask]:
        """The N refined masks of an image; a mask that would vanish stays as it was.

        Args:
            exclusive: the coarse masks do not overlap, and the refined ones shall not either.
        """
        masks, patches = [instance.mask for instance in predicted.cut.instances], predicted.by_instance()
        scheme = self.predictor.scheme
        refined = [put_back(mask, own.boxes, own.probabilities, scheme) for mask, own in zip(masks, patches, strict=True)]
        return apart(masks, refined, patches, scheme) if exclusive else refined

    def _cut_given(self, image: Image, masks: Any) -> CutImage:
        adapter = adapter_for(masks)
        pixels = _checked_image(image, adapter.frame_of(masks))
        frame = pixels.shape[0], pixels.shape[1]
        return self.cut(pixels, adapter.instances(masks, frame), _Given(masks, adapter, frame))

    def _put_back_given(self, predicted: PredictedImage) -> list[BoxMask]:
        return self.put_back(predicted, predicted.cut.token.adapter.exclusive)

    def _probability(self, predicted: PredictedImage) -> Any:
        """As the user holds masks: (N, H, W), or (H, W) for a single mask."""
        masks, adapter, frame = predicted.cut.token
        parts = zip(predicted.cut.instances, predicted.by_instance(), strict=True)
        scheme, whole = self.predictor.scheme, (0, 0, frame[1], frame[0])
        maps = [mean_probability(instance.mask, own.boxes, own.probabilities, scheme, whole) for instance, own in parts]
        stack = np.array(maps, np.float32).reshape(-1, *frame)
        return adapter.like(masks, stack[0] if getattr(masks, "ndim", 3) == 2 else stack)


def _checked_image(image: Image, frame: tuple[int, int] | None) -> np.ndarray:
    """(H, W, 3) uint8 RGB; a file whose orientation tag its masks ignore is read without it."""
    if isinstance(image, (str, Path)):
        return read_image(image, frame)
    pixels = np.asarray(image)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"image: expected (H, W, 3) uint8 RGB, got {pixels.shape} {pixels.dtype}; convert it, or pass its file")
    return pixels
