"""Refine the masks of an image: cut every boundary patch, predict, put the patches back.

Legend: N instances of one image, H W image.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, overload

import numpy as np

from bpr.errors import BadImage, BadInput
from bpr.geometry.boxes import Box
from bpr.geometry.budget import select_boxes
from bpr.geometry.masks import BoxMask
from bpr.geometry.options import RefineOptions
from bpr.geometry.overlaps import without_overlaps
from bpr.geometry.patches import crop_patches, patch_boxes
from bpr.geometry.reassembly import mean_probability, reassemble
from bpr.io.images import Picture, decode_image, decode_picture, is_picture, read_image
from bpr.refinement.batching import CutImage, InstancePatches, PredictedImage, Token, counts_to_slices, predict_images
from bpr.refinement.mask_types import Adapter, adapter_for
from bpr.refinement.mask_types.arrays import is_mask_file, read_mask_files
from bpr.refinement.outcome import StageClock
from bpr.refinement.predictor import Instance, PatchBatch, Predictor
from bpr.refinement.turns import Turns

Image = np.ndarray | str | Path | bytes | Picture
Masks = TypeVar("Masks")
CALLS_AT_ONCE = 2
"""Calls of a refiner that hold images and patches at one time: one cuts while the network has the other's patches."""


class Refinement(NamedTuple):
    """Refined masks and the extras that were requested; the other fields are None.

    Attributes:
        masks: of the type that came in.
        probability: float32 in the shape of the masks, (N, H, W) for lists and detections: the mean P of the patches on
            a pixel, and the coarse 0 or 1 where no patch lies. P > 0.5 is the refined mask. A tensor where masks are one.
        patches: one :class:`InstancePatches` per instance.
    """

    masks: Any
    probability: Any = None
    patches: list[InstancePatches] | None = None


class _Call(NamedTuple):
    """The masks that a user passed for one image, on their way through the network."""

    masks: Any
    adapter: Adapter
    frame: tuple[int, int]


class Refiner:
    """Refines masks with a predictor. It keeps no state between calls, so threads may share it; a few have their turn.

    Args:
        predictor: the network.
        options: where patches lie, and how they are blended; by default the options that the model recommends.

    >>> from bpr.refinement.predictor import IdentityPredictor
    >>> image, masks = np.zeros((90, 120, 3), np.uint8), np.zeros((1, 90, 120), bool)
    >>> masks[0, 20:70, 30:90] = True
    >>> refiner = Refiner(IdentityPredictor())
    >>> refiner
    Refiner(identity)
    >>> np.array_equal(refiner(image, masks), masks)
    True
    >>> [int(refined.sum()) for refined in refiner.stream([(image, masks), (image, masks[:0])])]
    [3000, 0]
    """

    def __init__(self, predictor: Predictor, options: RefineOptions | None = None) -> None:
        self.predictor, self.options = predictor, options or predictor.recommended
        self.options.check_fits(predictor.spec)
        self._turns = Turns(CALLS_AT_ONCE)

    def __repr__(self) -> str:
        return f"Refiner({self.predictor!r})"

    @overload
    def __call__(
        self,
        image: Image,
        masks: list[Any],
        *,
        return_probability: Literal[False] = False,
        return_patches: Literal[False] = False,
    ) -> list[dict[str, Any]]: ...

    @overload
    def __call__(
        self,
        image: Image,
        masks: Masks,
        *,
        return_probability: Literal[False] = False,
        return_patches: Literal[False] = False,
    ) -> Masks: ...

    @overload
    def __call__(
        self, image: Image, masks: Any, *, return_probability: Literal[True], return_patches: bool = False
    ) -> Refinement: ...

    @overload
    def __call__(
        self, image: Image, masks: Any, *, return_probability: bool = False, return_patches: Literal[True]
    ) -> Refinement: ...

    @overload
    def __call__(self, image: Image, masks: Any, *, return_probability: bool, return_patches: bool = False) -> Any: ...

    @overload
    def __call__(self, image: Image, masks: Any, *, return_probability: bool = False, return_patches: bool) -> Any: ...

    def __call__(
        self, image: Image, masks: Any, *, return_probability: bool = False, return_patches: bool = False
    ) -> Any:
        """Refine the masks of one image.

        Args:
            image: (H, W, 3) uint8 RGB, a file, the bytes of one, or a PIL image. EXIF is followed.
            masks: (N, H, W) or (H, W) array or torch tensor: bool, integers (0 and one value, or grey) or probabilities
                (foreground above half); the file of a mask or a list of files, which :func:`bpr.read_mask` reads; a
                list of COCO RLEs or polygons; ``supervision.Detections``; or a result of another library in
                docs/neighbours.md for one image.
            return_probability: also return the mean probability of every pixel.
            return_patches: also return the patches and the network's output for them.

        Returns:
            The refined masks in the form of ``masks``: the same type, dtype and device, integers with their foreground
            value, floats as 0 and 1, files as bool arrays, polygons as RLE. A mask that would vanish stays as it was.
            With ``return_probability`` or ``return_patches``: a :class:`Refinement`.

        Raises:
            BadInput: shapes, types or values that do not fit, or an image or an RLE that cannot be read.
        """
        pairs = [(image, masks)]
        with self._turns:
            return next(self.stream(pairs, return_probability=return_probability, return_patches=return_patches))

    @overload
    def stream(
        self,
        pairs: Iterable[tuple[Image, list[Any]]],
        *,
        return_probability: Literal[False] = False,
        return_patches: Literal[False] = False,
    ) -> Iterator[list[dict[str, Any]]]: ...

    @overload
    def stream(
        self,
        pairs: Iterable[tuple[Image, Masks]],
        *,
        return_probability: Literal[False] = False,
        return_patches: Literal[False] = False,
    ) -> Iterator[Masks]: ...

    @overload
    def stream(
        self, pairs: Iterable[tuple[Image, Any]], *, return_probability: Literal[True], return_patches: bool = False
    ) -> Iterator[Refinement]: ...

    @overload
    def stream(
        self, pairs: Iterable[tuple[Image, Any]], *, return_probability: bool = False, return_patches: Literal[True]
    ) -> Iterator[Refinement]: ...

    @overload
    def stream(
        self, pairs: Iterable[tuple[Image, Any]], *, return_probability: bool, return_patches: bool = False
    ) -> Iterator[Any]: ...

    @overload
    def stream(
        self, pairs: Iterable[tuple[Image, Any]], *, return_probability: bool = False, return_patches: bool
    ) -> Iterator[Any]: ...

    def stream(
        self, pairs: Iterable[tuple[Image, Any]], *, return_probability: bool = False, return_patches: bool = False
    ) -> Iterator[Any]:
        """Refine many images: the result of :meth:`__call__` for every (image, masks) pair, in order.

        Batches are filled across images: pairs are drawn as the network needs them, and a result comes once its
        patches have been predicted, which may take later pairs. On the CPU a stream gives the same results as single
        calls, bit for bit (tested with the starter model); a runtime whose arithmetic depends on the batch need not.
        """
        for predicted in predict_images(self.predictor, (self._cut_call(*pair) for pair in pairs)):
            masks, adapter, frame = predicted.cut.token
            refined = adapter.write(masks, self.put_back(predicted, adapter.exclusive))
            if not (return_probability or return_patches):
                yield refined
                continue
            probability = None
            if return_probability:
                maps = self._probabilities(predicted, [(0, 0, frame[1], frame[0])] * len(predicted.cut.instances))
                stack = np.array(maps, np.float32).reshape(-1, *frame)
                probability = adapter.like(masks, stack[0] if getattr(masks, "ndim", 3) == 2 else stack)
            yield Refinement(refined, probability, predicted.by_instance() if return_patches else None)

    def cut(self, image: np.ndarray, instances: Sequence[Instance], token: Token) -> CutImage[Token]:
        """Cut the patches of an image's instances that the budget allows.

        Args:
            image: (H, W, 3) uint8 RGB.
            token: kept with the result.
        """
        spec, options = self.predictor.spec, self.options
        masks, scores = [instance.mask for instance in instances], [instance.score for instance in instances]
        placed = [patch_boxes(mask, spec, options) for mask in masks]
        budget = options.budget(sum(map(len, placed)))
        boxes = select_boxes(image, masks, scores, placed, budget, options.signal)
        counts = [len(those) for those in boxes]
        patches = np.empty((sum(counts), spec.window, spec.window, spec.channels), np.uint8)
        for mask, those, part in zip(masks, boxes, counts_to_slices(counts), strict=True):
            crop_patches(image, mask, those, spec, out=patches[part])
        owners = [instance for instance, count in zip(instances, counts, strict=True) for _ in range(count)]
        batch = PatchBatch(patches, np.concatenate([np.empty((0, 4), np.int32), *boxes]), owners)
        return CutImage(instances, counts, batch, left_out=sum(map(len, placed)) - len(batch), token=token)

    def predict(
        self, cuts: Iterable[CutImage[Token]], clock: StageClock | None = None
    ) -> Iterator[PredictedImage[Token]]:
        """Every image with its probabilities, in order."""
        return predict_images(self.predictor, cuts, clock)

    def put_back(self, predicted: PredictedImage[Any], exclusive: bool = False) -> list[BoxMask]:
        """The N refined masks of an image; a mask that would vanish stays as it was.

        Args:
            exclusive: the coarse masks do not overlap, and neither may the refined ones.
        """
        masks, spec = [instance.mask for instance in predicted.cut.instances], self.predictor.spec
        pairs = zip(masks, predicted.by_instance(), strict=True)
        refined = [reassemble(mask, of.boxes, of.probabilities, spec, self.options) for mask, of in pairs]
        if not exclusive:
            return refined
        return without_overlaps(masks, refined, self._probabilities(predicted, [mask.box for mask in refined]))

    def _probabilities(self, predicted: PredictedImage[Any], boxes: Sequence[Box]) -> list[np.ndarray]:
        """The mean probability of every instance in its box."""
        parts = zip(predicted.cut.instances, predicted.by_instance(), boxes, strict=True)
        spec, options = self.predictor.spec, self.options
        return [
            mean_probability(instance.mask, of.boxes, of.probabilities, spec, options, box)
            for instance, of, box in parts
        ]

    def _cut_call(self, image: Image, masks: Any) -> CutImage[_Call]:
        if is_mask_file(masks):
            masks = read_mask_files(masks)
        adapter = adapter_for(masks)
        pixels = _checked_image(image, adapter.frame_of(masks))
        frame = pixels.shape[0], pixels.shape[1]
        return self.cut(pixels, adapter.instances(masks, frame), _Call(masks, adapter, frame))


def _checked_image(image: Image, frame: tuple[int, int] | None) -> np.ndarray:
    """(H, W, 3) uint8 RGB; the orientation tag of a photo is ignored where its masks ignore it."""
    if isinstance(image, (str, Path)):
        return read_image(image, frame)
    if isinstance(image, (bytes, bytearray, memoryview)):
        return decode_image(bytes(image), "image", frame)
    if is_picture(image):
        return decode_picture(image, "image", frame)
    if image is None:
        raise BadImage("image: expected (H, W, 3) uint8 RGB or a file, got no image (None); was the file found?")
    pixels = np.asarray(image)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        got = f"{pixels.shape} {pixels.dtype}"
        raise BadInput(f"image: expected (H, W, 3) uint8 RGB, got {got}; convert it, or pass its file")
    return pixels
