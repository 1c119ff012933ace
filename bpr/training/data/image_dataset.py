"""Patches cut on the fly from images and COCO annotations: no store, no detector, never the same patch twice.

For each drawn instance, the coarse mask is a real detection of it or is made from its ground truth. The region around
the instance is resized by a random factor, and patches are cut on the coarse boundary as refining would cut them.

Legend: S window side, C channels of a patch, H W frame of an image, h w a region of it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from mmcv.transforms import Compose
from torch.utils.data import Dataset

from bpr.errors import BadImage, BPRError, some
from bpr.evaluation.matching import GroundTruth, mask_iou
from bpr.formats.coco import INSTANCES, Record, positions_by_kind, read_annotations, read_results
from bpr.geometry.boundary import boundary_pixels
from bpr.geometry.boxes import enclosing, grow, squares_inside
from bpr.geometry.coarse_grid import signed_distance
from bpr.geometry.masks import BoxMask
from bpr.geometry.options import PatchSpec
from bpr.geometry.patches import crop_patches, crop_window
from bpr.geometry.rle import checked_frame, decode_mask
from bpr.io.image_finder import ImageFolder
from bpr.io.images import frame_in_header, read_framed, read_image
from bpr.training.data.extraction import MATCH_IOU
from bpr.training.data.makers import LARGEST_BIAS, coarse_mask, largest_bias, moved
from bpr.training.data.patch_dataset import METAINFO, as_sample
from bpr.training.data.synthetic_masks import coarsen
from bpr.training.registry import DATASETS

MARGIN = 32
"""Pixels around an instance that its region has in addition to a patch's window."""
TRIES = 4
"""Attempts to make a synthetic coarse mask that matches its instance, before the ground truth is taken."""
REBIASED = 0.2
"""Share of the real masks that are moved in or out where all makers are imitated: some detectors err inwards."""
SIZE_LIMITS = (32**2, 96**2)
"""Areas in pixels that separate COCO's small, medium and large objects."""


@dataclass(frozen=True, eq=False)
class TrainingInstance:
    """An annotated instance: its ground truth, its image file, and the detections that match it."""

    path: Path
    annotation: Record
    frame: tuple[int, int]
    detections: list[Record] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Region:
    """The part of an image around an instance, resized: (h, w, 3) uint8 RGB, ground truth and coarse mask."""

    image: np.ndarray
    truth: BoxMask
    coarse: BoxMask


@DATASETS.register_module()
class ImagePatchDataset(Dataset):
    """Instances of COCO-style datasets; an item is a list of ``patches`` samples of one instance.

    Args:
        sources: ``dict(ann, img_dir, results=[], share=1, scale=scale)`` each: an annotation file, the folder of its
            images, results files of detectors on these images, how often the source is drawn relative to the others,
            and its own ``scale``.
        patch: the values of a :class:`~bpr.geometry.options.PatchSpec`.
        pipeline: transforms of one patch, ended by ``bpr.PackPatch``.
        patches: patches cut per drawn instance.
        real: probability of a real coarse mask where the instance was detected; the others are synthetic.
        refined: probability that the coarse mask is moved towards the ground truth, as if it had been refined before.
            This teaches the network to leave good masks alone.
        scale: the region is resized by a factor between these two, log-uniform.
        cached_images: decoded images that every worker process keeps.
        synthetic: what the synthetic masks imitate: ``detectors``, whose masks are rather too large, or ``all`` makers
            of :mod:`bpr.training.data.makers`, whose masks are biased towards neither side and sometimes right. With
            ``all``, some of the real masks are moved in or out, too.
        perfect: with ``all``: the probability that a synthetic mask is perfect or nearly so.
        native: probability that the region is not resized: resampled masks have other outlines than masks of users.

    Raises:
        BPRError: a file cannot be read, an image is missing, or a source has no instance.
    """

    def __init__(
        self,
        sources: Sequence[dict[str, Any]],
        patch: dict[str, Any],
        pipeline: Sequence[dict[str, Any]],
        patches: int = 4,
        real: float = 0.5,
        refined: float = 0.25,
        scale: tuple[float, float] = (0.7, 1.4),
        cached_images: int = 0,
        synthetic: Literal["detectors", "all"] = "detectors",
        perfect: float = 0.3,
        native: float = 0.0,
    ) -> None:
        self.spec, self.patches = PatchSpec(**patch), patches
        self.real, self.refined, self.synthetic, self.native = real, refined, synthetic, native
        self._make = coarsen if synthetic == "detectors" else partial(coarse_mask, perfect_share=perfect)
        self.instances: list[TrainingInstance] = []
        self.scales: list[tuple[float, float]] = []
        weights = []
        for source in sources:
            instances = load_instances(**{key: value for key, value in source.items() if key not in ("share", "scale")})
            self.instances += instances
            self.scales += [source.get("scale", scale)] * len(instances)
            weights.append(source.get("share", 1.0) * balanced_weights(instances))
        self.weights = np.concatenate(weights)
        self.pipeline = Compose(pipeline)
        self.metainfo = METAINFO
        self._read = lru_cache(cached_images)(read_framed)

    def __len__(self) -> int:
        return len(self.instances)

    def __getitem__(self, index: int) -> list[dict[str, Any]]:
        # MMEngine seeds numpy's global generator in every worker process.
        rng = np.random.default_rng(np.random.randint(2**31))  # noqa: NPY002
        region = self._region(self.instances[index], self.scales[index], rng)
        rows, columns = boundary_pixels(region.coarse)
        if not rows.size:  # a mask that is empty or fills its frame has no boundary: draw another instance
            return self[int(rng.integers(len(self)))]
        chosen = rng.integers(rows.size, size=self.patches)
        frame = region.image.shape[0], region.image.shape[1]
        boxes = squares_inside(rows[chosen], columns[chosen], self.spec.side, frame)
        patches = crop_patches(region.image, region.coarse, boxes, self.spec)
        targets = [crop_window(region.truth, box, self.spec).astype(np.uint8) for box in boxes.tolist()]
        return [self.pipeline(as_sample(patch, target)) for patch, target in zip(patches, targets, strict=True)]

    def _region(self, instance: TrainingInstance, scale: tuple[float, float], rng: np.random.Generator) -> Region:
        truth = decode_mask(instance.annotation["segmentation"], instance.frame)
        real = bool(instance.detections) and rng.random() < self.real
        coarse = truth
        if real:
            detection = instance.detections[rng.integers(len(instance.detections))]
            coarse = decode_mask(detection["segmentation"], instance.frame)
        native = self.native > 0 and rng.random() < self.native
        factor = 1.0 if native else float(np.exp(rng.uniform(*np.log(scale))))
        margin = round((self.spec.window + MARGIN) / factor)
        region = cut_region(self._read(instance.path, instance.frame), truth, coarse, margin, factor)
        # Synthetic masks are made at the final scale: their faults do not grow with the factor.
        coarse = region.coarse if real else _matching_synthetic(region.truth, self._make, rng)
        if real and self.synthetic == "all" and rng.random() < REBIASED:
            coarse = _rebiased(coarse, rng)
        if rng.random() < self.refined:
            coarse = moved_towards(region.truth, coarse, rng.uniform(0.5, 1.0))
        return Region(region.image, region.truth, coarse)


def _matching_synthetic(
    truth: BoxMask, make: Callable[[BoxMask, np.random.Generator], BoxMask], rng: np.random.Generator
) -> BoxMask:
    """A synthetic coarse mask that would be matched to its instance, or ``truth`` where no attempt gives one."""
    for _ in range(TRIES):
        coarse = make(truth, rng)
        if mask_iou([coarse], [truth])[0, 0] > MATCH_IOU:
            return coarse
    return truth


def _rebiased(coarse: BoxMask, rng: np.random.Generator) -> BoxMask:
    """A real mask with its boundary moved in or out."""
    box = grow(coarse.box, math.ceil(LARGEST_BIAS), coarse.frame)
    limit = largest_bias(coarse.pixels)
    pixels = moved(coarse.window(box), rng.uniform(-limit, limit))
    return BoxMask(pixels, box[0], box[1], coarse.frame).trimmed()


def load_instances(
    ann: str, img_dir: str, results: Sequence[str] | str = (), document: dict[str, Any] | None = None
) -> list[TrainingInstance]:
    """The instances of an annotation file without crowds, each with the detections that match it (IoU > 0.5).

    Args:
        document: the content of ``ann`` where it was read before.

    Raises:
        BPRError: a file cannot be read, an image is missing or has not the size of its masks, or there is no instance.
    """
    document = document or read_annotations(ann)
    images = ImageFolder(img_dir, document["images"])
    truth, kinds = GroundTruth(document), positions_by_kind(document["annotations"])
    kept = [document["annotations"][index] for index in kinds.get(INSTANCES, ())]
    if not kept:
        reason = "every annotation is a crowd or has no mask, or there is no annotation"
        raise BPRError(f"{ann}: expected annotated instances, got none; {reason}")
    paths = {id(annotation): images.path(annotation["image_id"]) for annotation in kept}
    _check_images(dict.fromkeys(paths.values()), ann, img_dir)
    instances, shape_of_photo = {}, cache(lambda path: read_image(path).shape)
    for annotation in kept:
        path, stated = paths[id(annotation)], checked_frame(annotation["segmentation"])
        frame = stated or images.frame(annotation["image_id"]) or shape_of_photo(path)[:2]
        instances[id(annotation)] = TrainingInstance(path, annotation, frame)
    check_frames([(instance.path, instance.frame) for instance in instances.values()], ann)
    for file in [results] if isinstance(results, str) else results:
        records = read_results(file)
        for record, (annotation, iou) in zip(records, truth.matched_annotations(records), strict=True):
            if annotation is not None and iou > MATCH_IOU:
                instances[id(annotation)].detections.append(record)
    return list(instances.values())


def _check_images(paths: Collection[Path], ann: str, img_dir: str) -> None:
    """Raise a BPRError for missing images now, and not at the iteration that first draws one of them."""
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise BPRError(
            f"{ann}: expected its images in {img_dir}, got none for {len(missing)} of {len(paths)}: {some(missing)}; "
            "add them, or take them out of the annotations"
        )


def check_frames(masks: Iterable[tuple[Path, tuple[int, int]]], ann: str) -> None:
    """Raise a BPRError for images of another size than their masks before a training begins, by the files' headers.

    Args:
        masks: the image file and the (H, W) of each mask.
        ann: names the annotation file.
    """
    wrong = []
    for path, frame in dict.fromkeys(masks):
        stored = frame_in_header(path)
        if stored == frame:
            continue
        try:  # a turned photo has its size only when it is decoded
            if stored != frame[::-1]:
                raise BadImage(f"{path}: another size")
            read_framed(path, frame)
        except BadImage:
            is_not = f"is {stored[0]}x{stored[1]}, not {frame[0]}x{frame[1]}" if stored else "is no image that can be read"
            wrong.append(f"{path.name} {is_not}")
    if wrong:
        wanted = "expected images of the height and width of their masks"
        raise BPRError(f"{ann}: {wanted}, got {len(wrong)} others: {some(wrong)}; correct the images list or the images")


def balanced_weights(instances: Sequence[TrainingInstance]) -> np.ndarray:
    """(N,) float64 with sum 1, by which rare classes and rare sizes (COCO's three) are drawn more often than evenly.

    A weight is inversely proportional to the square roots of the frequencies of the instance's class and size.
    """
    classes = [instance.annotation["category_id"] for instance in instances]
    masks = [(instance.annotation, instance.frame) for instance in instances]
    areas = [item.get("area") or decode_mask(item["segmentation"], frame).area for item, frame in masks]
    sizes = np.searchsorted(SIZE_LIMITS, areas).tolist()
    weights = np.ones(len(instances))
    for groups in (classes, sizes):
        counts = Counter(groups)
        weights *= [counts[group] ** -0.5 for group in groups]
    return weights / weights.sum()


def cut_region(image: np.ndarray, truth: BoxMask, coarse: BoxMask, margin: int, factor: float) -> Region:
    """The box around both masks with ``margin`` pixels of the image on each side, resized by ``factor``.

    >>> mask = BoxMask(np.ones((20, 30), bool), 40, 40, (100, 200))
    >>> region = cut_region(np.zeros((100, 200, 3), np.uint8), mask, mask, 10, 2.0)
    >>> region.image.shape, region.truth.box
    ((80, 100, 3), (20, 20, 80, 60))
    """
    x0, y0, x1, y1 = box = grow(enclosing(np.array([truth.box, coarse.box])), margin, truth.frame)
    size = max(1, round((x1 - x0) * factor)), max(1, round((y1 - y0) * factor))
    resized = cv2.resize(image[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    return Region(resized, *(resized_mask(mask.window(box), size) for mask in (truth, coarse)))


def moved_towards(truth: BoxMask, coarse: BoxMask, share: float) -> BoxMask:
    """A mask whose boundary lies between the boundary of ``coarse`` (share 0) and that of ``truth`` (share 1)."""
    box = grow(enclosing(np.array([truth.box, coarse.box])), 1, truth.frame)
    distance = share * signed_distance(truth.window(box)) + (1 - share) * signed_distance(coarse.window(box))
    return BoxMask(distance < 0, box[0], box[1], truth.frame).trimmed()


def resized_mask(pixels: np.ndarray, size: tuple[int, int]) -> BoxMask:
    interpolation = cv2.INTER_AREA if size[0] < pixels.shape[1] else cv2.INTER_LINEAR
    return BoxMask.from_frame(cv2.resize(pixels.astype(np.float32), size, interpolation=interpolation) > 0.5)
