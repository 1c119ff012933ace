"""Refine the masks of an image: cut every boundary patch, predict, put the patches back.

Legend: N instances of one image, H W image.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from bpr.errors import BadImage, BadInput, warn_caller
from bpr.geometry.budget import select_boxes
from bpr.geometry.options import AUTO, Leaning, RefineOptions
from bpr.geometry.overlaps import without_overlaps
from bpr.geometry.patches import patch_boxes
from bpr.io.images import Picture, decode_picture, decode_shown, is_picture, read_shown, show_array
from bpr.io.pixels import AS_THEY_ARE, PixelOptions, Shown
from bpr.refinement.batching import CutImage, InstancePatches, PredictedImage, Token, predict_images
from bpr.refinement.levels import Photo
from bpr.refinement.mask_types import Adapter, adapter_for
from bpr.refinement.mask_types.arrays import is_mask_file, read_mask_files
from bpr.refinement.outcome import StageClock
from bpr.refinement.predictor import Instance, PatchBatch, Predictor, Settled
from bpr.refinement.turns import Turns
from bpr.refinement.verdict.features import Description, describe_blended
from bpr.refinement.verdict.model import Pool, Verdict
from bpr.refinement.workbench import workbench_of

Image = np.ndarray | str | Path | bytes | Picture
Pictures = str | Path | bytes | list[str] | list[Path] | list[bytes] | list[str | Path]
Masks = TypeVar("Masks")
CALLS_AT_ONCE = 2
"""Calls of a refiner that hold images and patches at one time: one cuts while the network has the other's patches."""


class Refinement(NamedTuple):
    """Refined masks and the extras that were requested; the other fields are None.

    Attributes:
        masks: of the type that came in; with ``soft``, their alpha.
        probability: float32 in the shape of the masks, (N, H, W) for lists, detections and label maps, whose objects are
            in the order of their first pixels: the mean P of the patches on
            a pixel, and the coarse 0 or 1 where no patch lies. P > 0.5 is the refined mask. A tensor where masks are one.
        patches: one :class:`InstancePatches` per instance.
        verdicts: one :class:`~bpr.refinement.verdict.model.Verdict` per instance.

    Of an object that is refined from coarse to fine (``RefineOptions.object_size``), probability and patches are those
    of the last level, the image's own scale; the coarse mask is then what the levels before made of it.
    """

    masks: Any
    probability: Any = None
    patches: list[InstancePatches] | None = None
    verdicts: list[Verdict] | None = None


class _Call(NamedTuple):
    """The masks that a user passed for one image, on their way through the network."""

    masks: Any
    adapter: Adapter
    frame: tuple[int, int]

    def stacked(self, maps: Sequence[np.ndarray], kind: type) -> Any:
        """N (H, W) maps in the shape of the masks, (N, H, W) for lists, detections and label maps; a tensor where masks are
        one.
        """
        stack: np.ndarray = np.array(maps, kind).reshape(-1, *self.frame)
        one = getattr(self.masks, "ndim", 3) == 2 and not self.adapter.exclusive
        return self.adapter.like(self.masks, stack[0] if one else stack)


class Refiner:
    """Refines masks with a predictor. It keeps no state between calls, so threads may share it; a few have their turn.

    Args:
        predictor: the network.
        options: where patches lie, and how they are blended; by default the options that the model recommends.
        pixels: what the network sees of an image that is no 8-bit photo.

    Attributes:
        pools: for the parts of one image: what is known about all of its masks, by the level at which they are judged.

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

    def __init__(
        self, predictor: Predictor, options: RefineOptions | None = None, pixels: PixelOptions = AS_THEY_ARE
    ) -> None:
        self.predictor, self.options, self.pixels = predictor, options or predictor.recommended, pixels
        self.options.check_fits(predictor.spec)
        if self.options.caution == AUTO and predictor.verdict is None:
            raise ValueError("caution: expected a number, got auto; this model has no verdict, tools/fit_verdict.py adds one")
        self.pools: dict[int, Pool] = {}
        self._turns, self._workbench = Turns(CALLS_AT_ONCE), workbench_of(predictor)

    def __repr__(self) -> str:
        return f"Refiner({self.predictor!r})"

    @overload
    def __call__(self, image: Image, masks: Pictures) -> NDArray[np.bool_]: ...

    @overload
    def __call__(self, image: Image, masks: list[Any]) -> list[dict[str, Any]]: ...

    @overload
    def __call__(self, image: Image, masks: Masks) -> Masks: ...

    @overload
    def __call__(self, image: Image, masks: np.ndarray | Pictures, *, soft: Literal[True]) -> NDArray[np.uint8]: ...

    @overload
    def __call__(self, image: Image, masks: Any, *, soft: bool) -> Any: ...

    @overload
    def __call__(
        self, image: Image, masks: Any, *, return_probability: bool, return_patches: bool = False, return_verdict: bool = False,
        soft: bool = False,
    ) -> Refinement: ...

    @overload
    def __call__(
        self, image: Image, masks: Any, *, return_probability: bool = False, return_patches: bool, return_verdict: bool = False,
        soft: bool = False,
    ) -> Refinement: ...

    @overload
    def __call__(
        self, image: Image, masks: Any, *, return_probability: bool = False, return_patches: bool = False, return_verdict: bool,
        soft: bool = False,
    ) -> Refinement: ...

    def __call__(
        self, image: Image, masks: Any, *, return_probability: bool = False, return_patches: bool = False,
        return_verdict: bool = False, soft: bool = False,
    ) -> Any:
        """Refine the masks of one image.

        Args:
            image: (H, W, 3) uint8 RGB, a file, the bytes of one, or a PIL image. EXIF is followed. Other arrays of
                numbers, (H, W) or (H, W, bands), are shown as :mod:`bpr.io.pixels` says.
            masks: (N, H, W) or (H, W) array or torch tensor: bool, integers (0 and one value, or grey) or probabilities
                (foreground above half); an (H, W) label map, whose objects have numbers and whose background is 0; the
                file of a mask or its bytes, or a list of these, read as by :func:`bpr.read_mask`; a list of COCO RLEs or polygons;
                ``supervision.Detections``; or a result of another library in docs/neighbours.md for one image.
            return_probability: also return the mean probability of every pixel.
            return_patches: also return the patches and the network's output for them.
            return_verdict: also return what was decided for every mask. It needs the caution ``auto``.
            soft: return soft edges: uint8 alpha in the shape of the masks, (N, H, W) for lists and detections, instead of
                masks. It is the probability of a pixel in steps of 1/255, with the odds shifted as far as the verdict
                takes the change. ``alpha > 127`` is the refined mask, and a mask that is kept has 0 and 255.

        Returns:
            The refined masks in the form of ``masks``: the same type, dtype and device, integers with their foreground
            value, floats as 0 and 1, files as bool arrays, polygons as RLE. A mask that would vanish stays as it was.
            The objects of a label map keep their numbers and share no pixel.
            With ``return_probability``, ``return_patches`` or ``return_verdict``: a :class:`Refinement`.

        Raises:
            BadInput: shapes, types or values that do not fit, or an image or an RLE that cannot be read.
        """
        pairs = [(image, masks)]
        wanted = {"return_probability": return_probability, "return_patches": return_patches, "return_verdict": return_verdict}
        with self._turns:
            return next(self.stream(pairs, soft=soft, **wanted))

    @overload
    def stream(self, pairs: Iterable[tuple[Image, Pictures]]) -> Iterator[NDArray[np.bool_]]: ...

    @overload
    def stream(self, pairs: Iterable[tuple[Image, list[Any]]]) -> Iterator[list[dict[str, Any]]]: ...

    @overload
    def stream(self, pairs: Iterable[tuple[Image, Masks]]) -> Iterator[Masks]: ...

    @overload
    def stream(self, pairs: Iterable[tuple[Image, np.ndarray | Pictures]], *, soft: Literal[True]) -> Iterator[NDArray[np.uint8]]: ...

    @overload
    def stream(self, pairs: Iterable[tuple[Image, Any]], *, soft: Literal[True]) -> Iterator[Any]: ...

    @overload
    def stream(
        self, pairs: Iterable[tuple[Image, Any]], *, return_probability: bool = False, return_patches: bool = False,
        return_verdict: bool = False, soft: bool = False,
    ) -> Iterator[Refinement]: ...

    def stream(
        self, pairs: Iterable[tuple[Image, Any]], *, return_probability: bool = False, return_patches: bool = False,
        return_verdict: bool = False, soft: bool = False,
    ) -> Iterator[Any]:
        """Refine many images: the result of :meth:`__call__` for every (image, masks) pair, in order.

        Batches are filled across images: pairs are drawn as the network needs them, and a result comes once its
        patches have been predicted, which may take later pairs. On the CPU a stream gives the same results as single
        calls, bit for bit (tested with the starter model); a runtime whose arithmetic depends on the batch need not.
        """
        for predicted in predict_images(self.predictor, (self._cut_call(*pair) for pair in pairs)):
            call = predicted.cut.token
            masks, adapter, frame = call
            settled = self.put_back(predicted, adapter.exclusive)
            if soft:
                refined = call.stacked([one.alpha() for one in settled], np.uint8)
            else:
                refined = adapter.write(masks, [one.mask for one in settled])
            if not (return_probability or return_patches or return_verdict):
                yield refined
                continue
            probability = None
            if return_probability:
                maps = [one.probability((0, 0, frame[1], frame[0])) for one in settled]
                probability = call.stacked(maps, np.float32)
            patches = predicted.in_memory(self._workbench).by_instance() if return_patches else None
            verdicts = [one.verdict for one in settled if one.verdict] if return_verdict else None
            yield Refinement(refined, probability, patches, verdicts)

    def start(
        self, image: np.ndarray, instances: Sequence[Instance], token: Token, exclusive: bool = False
    ) -> CutImage[Token]:
        """Cut an image at its coarsest level: the halved copy in which its largest object has a size that the network
        knows. :meth:`predict` goes on from there, level by level, to the image's own scale. Images without large objects
        have no other level than that.

        Arguments as for :meth:`cut` and :meth:`put_back`.
        """
        photo = Photo.of(image, instances, self.options, exclusive, token)
        return self._cut_at(max(photo.levels, default=0), photo)

    def _cut_at(self, level: int, photo: Photo[Token]) -> CutImage[Token]:
        most = photo.budget(level, self.options.max_patches)
        cut = self.cut(photo.scales.at(level), photo.at(level), photo.token, most)

        def finer(predicted: PredictedImage[Token]) -> CutImage[Token]:
            return self._cut_at(photo.below(level), photo.after(level, predicted, self.put_back(predicted)))

        left_out = photo.left_out + cut.left_out
        return replace(cut, left_out=left_out, earlier=photo.patches, finer=finer if level else None)

    def cut(
        self, image: np.ndarray, instances: Sequence[Instance], token: Token, most: int | None = None
    ) -> CutImage[Token]:
        """Cut the patches of an image's instances that the budget allows, at the image's own scale alone.

        Args:
            image: (H, W, 3) uint8 RGB.
            token: kept with the result.
            most: cut at most so many patches, even if the budget allows more.
        """
        spec, options = self.predictor.spec, self.options
        masks, scores = [instance.mask for instance in instances], [instance.score for instance in instances]
        placed = [patch_boxes(mask, spec, options) for mask in masks]
        budget = options.budget(sum(map(len, placed)))
        budget = budget if most is None else min(budget, most)
        boxes = select_boxes(image, masks, scores, placed, budget, options.signal)
        counts = [len(those) for those in boxes]
        patches = self._workbench.cut(image, masks, boxes, spec)
        owners = [instance for instance, count in zip(instances, counts, strict=True) for _ in range(count)]
        batch = PatchBatch(patches, np.concatenate([np.empty((0, 4), np.int32), *boxes]), owners)
        return CutImage(instances, counts, batch, left_out=sum(map(len, placed)) - len(batch), token=token)

    def predict(
        self, cuts: Iterable[CutImage[Token]], clock: StageClock | None = None
    ) -> Iterator[PredictedImage[Token]]:
        """Every image with its probabilities at its own scale, in order."""
        return predict_images(self.predictor, cuts, clock)

    def put_back(self, predicted: PredictedImage[Any], exclusive: bool = False) -> list[Settled]:
        """The N refined masks of an image, and the verdicts; a mask that would vanish stays as it was.

        Args:
            exclusive: the coarse masks do not overlap, and neither may the refined ones.
        """
        settled = self._settled(predicted)
        if not exclusive:
            return settled
        claims = [one.probability(one.mask.box) for one in settled]
        masks = without_overlaps([one.blended.mask for one in settled], [one.mask for one in settled], claims)
        return [replace(one, mask=mask) for one, mask in zip(settled, masks, strict=True)]

    def _settled(self, predicted: PredictedImage[Any]) -> list[Settled]:
        spec, options = self.predictor.spec, self.options
        instances, boxes = predicted.cut.instances, [part.boxes for part in predicted.by_instance()]
        masks = [instance.mask for instance in instances]
        fixed = (options.caution, -options.caution) if isinstance(options.caution, float | int) else None
        blended = self._workbench.blended(masks, boxes, predicted.probabilities, spec, options.blend, fixed)
        if fixed is not None:
            return [Settled(one.refined(fixed), None, fixed, one) for one in blended]
        judged = [i for i, those in enumerate(boxes) if len(those)]  # without patches there is nothing to decide
        patches = [of.patches for of in predicted.in_memory(self._workbench).by_instance()]
        descriptions = [describe_blended(blended[i], patches[i], spec) for i in judged]
        level, scores = instances[0].level if instances else 0, [instances[i].score for i in judged]
        decisions = dict(zip(judged, self._judge(level, descriptions, scores), strict=True))
        settled = []
        for i, (instance, one) in enumerate(zip(instances, blended, strict=True)):
            taken, verdict = decisions.get(i, (None, Verdict("nothing", 0.0, 0.0)))
            mask = one.mask if taken is None else one.refined(taken)
            whole = verdict if instance.earlier is None else instance.earlier.followed_by(verdict)
            settled.append(Settled(mask, whole, taken, one))
        return settled

    def _judge(
        self, level: int, descriptions: Sequence[Description], scores: Sequence[float]
    ) -> list[tuple[Leaning | None, Verdict]]:
        """The verdicts on masks of one image at a level."""
        assert self.predictor.verdict is not None  # checked at the beginning
        return self.predictor.verdict(descriptions, scores, self.pools.get(level))

    def _cut_call(self, image: Image, masks: Any) -> CutImage[_Call]:
        if is_mask_file(masks):
            masks = read_mask_files(masks)
        adapter = adapter_for(masks)
        seen = _seen(image, adapter.frame_of(masks), self.pixels)
        if seen.remark:
            warn_caller(seen.remark)
        pixels = seen.pixels
        frame = pixels.shape[0], pixels.shape[1]
        return self.start(pixels, adapter.instances(masks, frame), _Call(masks, adapter, frame), adapter.exclusive)


def _seen(image: Image, frame: tuple[int, int] | None, options: PixelOptions) -> Shown:
    """What the network sees; the orientation tag of a photo is ignored where its masks ignore it."""
    if isinstance(image, (str, Path)):
        return read_shown(image, frame, options=options)
    if isinstance(image, (bytes, bytearray, memoryview)):
        return decode_shown(bytes(image), "image", frame, options=options)
    if is_picture(image):
        return decode_picture(image, "image", frame, options)
    if image is None:
        raise BadImage("image: expected an array (H, W, 3) or a file, got no image (None); was the file found?")
    expected = "expected (H, W, 3) uint8 RGB, numbers (H, W) or (H, W, bands), a file or its bytes, or a PIL image"
    try:
        pixels = np.asarray(image)
    except Exception as error:  # a list of uneven rows; a tensor on a GPU, or one with a gradient
        raise BadInput(f"image: {expected}, got {type(image).__name__} ({error}); convert it, or pass its file") from error
    few = pixels.ndim == 3 and (pixels.shape[2] in (1, 3, 4) or options.bands is not None)
    if pixels.dtype.kind not in "uif" or not (pixels.ndim == 2 or few):
        got = type(image).__name__ if pixels.dtype == object else f"{pixels.shape} {pixels.dtype}"
        remedy = "its read() gives the bytes" if hasattr(image, "read") else "convert it, or pass its file"
        raise BadInput(f"image: {expected}, got {got}; {remedy}")
    return show_array(pixels, "image", options)
