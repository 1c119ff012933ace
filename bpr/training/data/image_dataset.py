"""Patches cut on the fly from images and COCO annotations: no store, no detector, never the same patch twice.

An instance is drawn, its coarse mask is a real detection of it or one made from its ground truth, the place is resized
by a random factor, and patches are cut on the coarse boundary as refining would cut them.

Legend: S window side, C channels of a patch, H W frame of an image, h w a place in it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from mmcv.transforms import Compose
from torch.utils.data import Dataset

from bpr.errors import BPRError
from bpr.formats.coco import Record, read_annotations, read_results
from bpr.formats.ground_truth import GroundTruth, mask_iou
from bpr.geometry.boundary import boundary_pixels
from bpr.geometry.boxes import enclosing, grow, squares_inside
from bpr.geometry.coarse_grid import signed_distance
from bpr.geometry.masks import BoxMask
from bpr.geometry.options import PatchSpec
from bpr.geometry.patches import crop_patches, crop_window
from bpr.geometry.rle import decode_mask
from bpr.io.images import ImageFolder, read_image
from bpr.training.data.extraction import MATCH_IOU
from bpr.training.data.makers import LARGEST_BIAS, coarse_mask, largest_bias, moved
from bpr.training.data.patch_dataset import as_sample
from bpr.training.data.synthetic_masks import coarsen
from bpr.training.registry import DATASETS

SURROUNDINGS = 32
"""Pixels around an instance that are cut with it, beside what its patches reach."""
TRIES = 4
"""Synthetic masks of one instance that may fail before its ground truth is taken."""
REBIASED = 0.2
"""Share of the real masks that are moved in or out, where all makers are imitated: not every detector errs outwards."""
MOST_NAMED = 3
"""Missing images that an error names."""
SIZE_LIMITS = (32**2, 96**2)
"""COCO's small, medium and large objects part at these areas in pixels."""


@dataclass(frozen=True, eq=False)
class TrainingInstance:
    """An annotated instance: its ground truth, its image file, and the detections that mean it."""

    path: Path
    annotation: Record
    frame: tuple[int, int]
    detections: list[Record] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Place:
    """What is cut around an instance, at its final scale: (h, w, 3) uint8 RGB, ground truth and coarse mask."""

    image: np.ndarray
    truth: BoxMask
    coarse: BoxMask


@DATASETS.register_module()
class ImagePatchDataset(Dataset):
    """Instances of COCO-style data sets; an item is a list of ``patches`` samples of one instance.

    Args:
        sources: ``dict(ann, img_dir, results=[], share=1, scale=scale)`` each: an annotation file, the folder of its images,
            results files of detectors on them, how often the source is drawn relative to the others, and its own ``scale``.
        patch: the values of a :class:`~bpr.geometry.options.PatchSpec`.
        pipeline: transforms of one patch, ended by ``bpr.PackPatch``.
        patches: patches cut per drawn instance.
        real: probability of a real coarse mask where the instance was detected; the rest are synthetic.
        refined: probability that the coarse mask is drawn towards the ground truth, as a first pass leaves it: what
            teaches to leave good masks alone, and a second pass.
        scale: the place is resized by a factor between these two, log-uniform.
        native: probability that the place is not resized: resampled masks have other outlines than those that come in.
        cached_images: decoded images that every worker keeps.
        synthetic: whose masks the synthetic ones imitate: ``detectors`` (masks rather too large), or ``all`` makers of
            :mod:`bpr.training.data.makers`, biased towards neither side and at times right; with it some of the real masks
            are moved in or out, too.
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
        native: float = 0.0,
    ) -> None:
        self.spec, self.patches = PatchSpec(**patch), patches
        self.real, self.refined, self.synthetic, self.native = real, refined, synthetic, native
        parts = [load_instances(**{k: v for k, v in source.items() if k not in ("share", "scale")}) for source in sources]
        self.instances = [instance for instances in parts for instance in instances]
        self.scales = [source.get("scale", scale) for source, instances in zip(sources, parts, strict=True) for _ in instances]
        shares = [source.get("share", 1.0) for source in sources]
        self.weights = np.concatenate([share * balanced_weights(part) for part, share in zip(parts, shares, strict=True)])
        self.pipeline = Compose(pipeline)
        self.metainfo = {"classes": ("background", "foreground"), "palette": [[0, 0, 0], [255, 255, 255]]}
        self._read = lru_cache(cached_images)(read_image)

    def __len__(self) -> int:
        return len(self.instances)

    def __getitem__(self, index: int) -> list[dict[str, Any]]:
        rng = np.random.default_rng(np.random.randint(2**31))  # noqa: NPY002  (the seed that MMEngine gives every worker)
        place = self._place(self.instances[index], self.scales[index], rng)
        rows, columns = boundary_pixels(place.coarse)
        if not rows.size:  # a mask that fills its frame, or vanished, has no boundary to learn from
            return self[int(rng.integers(len(self)))]
        chosen = rng.integers(rows.size, size=self.patches)
        frame = place.image.shape[0], place.image.shape[1]
        boxes = squares_inside(rows[chosen], columns[chosen], self.spec.side, frame)
        patches = crop_patches(place.image, place.coarse, boxes, self.spec)
        targets = [crop_window(place.truth, box, self.spec).astype(np.uint8) for box in boxes.tolist()]
        return [self.pipeline(as_sample(patch, target)) for patch, target in zip(patches, targets, strict=True)]

    def _place(self, instance: TrainingInstance, scale: tuple[float, float], rng: np.random.Generator) -> Place:
        truth = decode_mask(instance.annotation["segmentation"], instance.frame)
        real = bool(instance.detections) and rng.random() < self.real
        coarse = truth
        if real:
            coarse = decode_mask(instance.detections[rng.integers(len(instance.detections))]["segmentation"], instance.frame)
        factor = 1.0 if self.native and rng.random() < self.native else float(np.exp(rng.uniform(*np.log(scale))))
        place = cut_place(self._read(instance.path), truth, coarse, round((self.spec.window + SURROUNDINGS) / factor), factor)
        make = coarsen if self.synthetic == "detectors" else coarse_mask
        coarse = place.coarse if real else _recognisable(place.truth, make, rng)
        if real and self.synthetic == "all" and rng.random() < REBIASED:
            coarse = _rebiased(coarse, rng)
        if rng.random() < self.refined:
            coarse = drawn_towards(place.truth, coarse, rng.uniform(0.5, 1.0))
        return Place(place.image, place.truth, coarse)


def _recognisable(truth: BoxMask, make: Callable[[BoxMask, np.random.Generator], BoxMask], rng: np.random.Generator) -> BoxMask:
    """A synthetic coarse mask that would have been matched to its object; the object itself where it is too small for any."""
    candidates = (make(truth, rng) for _ in range(TRIES))
    return next((coarse for coarse in candidates if mask_iou([coarse], [truth])[0, 0] > MATCH_IOU), truth)


def _rebiased(coarse: BoxMask, rng: np.random.Generator) -> BoxMask:
    """A real mask with its boundary moved in or out."""
    box = grow(coarse.box, math.ceil(LARGEST_BIAS), coarse.frame)
    limit = largest_bias(coarse.pixels)
    return BoxMask(moved(coarse.window(box), rng.uniform(-limit, limit)), box[0], box[1], coarse.frame).trimmed()


def load_instances(ann: str, img_dir: str, results: Sequence[str] | str = ()) -> list[TrainingInstance]:
    """The instances of an annotation file, crowds left out, each with the detections of IoU > 0.5 that mean it.

    Raises:
        BPRError: a file cannot be read, an image is missing, or there is no instance.
    """
    document = read_annotations(ann)
    images = ImageFolder(img_dir, document["images"])
    frames = {image["id"]: (image["height"], image["width"]) for image in document["images"]}
    kept = [a for a in document["annotations"] if not a.get("iscrowd")]
    if not kept:
        raise BPRError(f"{ann}: expected annotated instances, got none; every annotation is a crowd or there is no annotation")
    truth = GroundTruth(document)
    instances = {id(a): TrainingInstance(images.path(a["image_id"]), a, frames[a["image_id"]]) for a in kept}
    _check_images({instance.path: None for instance in instances.values()}, ann, img_dir)
    for file in [results] if isinstance(results, str) else results:
        records = read_results(file)
        for record, (annotation, iou) in zip(records, truth.matched_annotations(records), strict=True):
            if annotation is not None and iou > MATCH_IOU:
                instances[id(annotation)].detections.append(record)
    return list(instances.values())


def _check_images(paths: Collection[Path], ann: str, img_dir: str) -> None:
    """Fail before the first iteration, and not at the one that draws the missing image."""
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        names = ", ".join(missing[:MOST_NAMED]) + (", ..." if len(missing) > MOST_NAMED else "")
        remedy = "add them, or take them out of the annotations"
        raise BPRError(f"{ann}: expected its images in {img_dir}, got none for {len(missing)} of {len(paths)}: {names}; {remedy}")


def balanced_weights(instances: Sequence[TrainingInstance]) -> np.ndarray:
    """(N,) float64, sum 1: rare classes and rare sizes (COCO's three) are drawn more often than their share.

    An instance's weight falls with the square root of the frequency of its class, and with that of its size.
    """
    classes = [instance.annotation["category_id"] for instance in instances]
    sizes = [int(np.searchsorted(SIZE_LIMITS, _area(instance))) for instance in instances]
    weights = np.ones(len(instances))
    for names in (classes, sizes):
        counts = Counter(names)
        weights *= [counts[name] ** -0.5 for name in names]
    return weights / weights.sum()


def _area(instance: TrainingInstance) -> float:
    """Pixels of the mask; the file's figure where it says one."""
    return instance.annotation.get("area") or decode_mask(instance.annotation["segmentation"], instance.frame).area


def cut_place(image: np.ndarray, truth: BoxMask, coarse: BoxMask, margin: int, factor: float) -> Place:
    """The surroundings of both masks, ``margin`` pixels of the image wide, resized by ``factor``.

    >>> mask = BoxMask(np.ones((20, 30), bool), 40, 40, (100, 200))
    >>> place = cut_place(np.zeros((100, 200, 3), np.uint8), mask, mask, 10, 2.0)
    >>> place.image.shape, place.truth.box
    ((80, 100, 3), (20, 20, 80, 60))
    """
    x0, y0, x1, y1 = box = grow(enclosing(np.array([truth.box, coarse.box])), margin, truth.frame)
    size = max(1, round((x1 - x0) * factor)), max(1, round((y1 - y0) * factor))
    resized = cv2.resize(image[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    return Place(resized, *(_resized_mask(mask.window(box), size) for mask in (truth, coarse)))


def drawn_towards(truth: BoxMask, coarse: BoxMask, share: float) -> BoxMask:
    """A mask whose boundary lies between that of ``coarse`` (share 0) and that of ``truth`` (share 1)."""
    box = grow(enclosing(np.array([truth.box, coarse.box])), 1, truth.frame)
    distance = share * signed_distance(truth.window(box)) + (1 - share) * signed_distance(coarse.window(box))
    return BoxMask(distance < 0, box[0], box[1], truth.frame).trimmed()


def _resized_mask(pixels: np.ndarray, size: tuple[int, int]) -> BoxMask:
    way = cv2.INTER_AREA if size[0] < pixels.shape[1] else cv2.INTER_LINEAR
    return BoxMask.from_frame(cv2.resize(pixels.astype(np.float32), size, interpolation=way) > 0.5)
