"""Refine a results file: stream images, keep every record in its place, say what could not be refined."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from bpr.errors import BadImage, BadMask
from bpr.formats.coco import Record, with_mask
from bpr.formats.images import ImageFinder, read_image
from bpr.formats.rle import decode_mask
from bpr.geometry.masks import BoxMask
from bpr.refinement.batching import CutImage, PredictedImage
from bpr.refinement.clock import StageClock
from bpr.refinement.exclusive import put_back_apart
from bpr.refinement.pipeline import ordered_map
from bpr.refinement.predictor import Instance
from bpr.refinement.refiner import Refiner


@dataclass
class RunReport:
    """What became of the records.

    ``kept`` counts by reason those that could not be refined and stayed as they were, ``problems`` names them;
    ``skipped`` counts those that were not to be refined. ``patches`` went through the network, ``left_out`` did not: the
    scheme's budget was spent on others.
    """

    records: int
    images: int = 0
    patches: int = 0
    left_out: int = 0
    refined: int = 0
    skipped: int = 0
    kept: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    clock: StageClock = field(default_factory=StageClock)

    def add(self, cut: CutImage) -> None:
        """Count one finished image."""
        self.images += 1
        self.patches += cut.before + len(cut.batch)
        self.left_out += cut.left_out
        self.refined += len(cut.instances)
        for kept in cut.token:
            self.kept[kept.reason] += len(kept.indices)
            which = f"record {kept.indices[0]}" if len(kept.indices) == 1 else f"{len(kept.indices)} records from {kept.indices[0]} on"
            self.problems.append(f"{which}: {kept.detail}; kept as it was")


@dataclass(frozen=True)
class _Kept:
    """Records of one image that stay as they were, and why."""

    reason: str
    indices: Sequence[int]
    detail: str


def refine_records(
    records: Sequence[Record],
    images: ImageFinder,
    refiner: Refiner,
    workers: int = 2,
    on_progress: Callable[[int], None] = lambda done: None,
    exclusive: bool = False,
    min_score: float | None = None,
) -> tuple[list[Record], RunReport]:
    """Refine COCO records.

    Args:
        images: finds the image of an ``image_id``.
        workers: threads that read, cut and put back; the result does not depend on it.
        on_progress: called after each image with the number of records done so far.
        exclusive: the masks of an image do not overlap, and shall not afterwards.
        min_score: records of a lower score stay as they are; None refines all.

    Returns:
        The records in their order, each exactly once, and the report. No ground truth is needed.
    """
    report, output = RunReport(len(records)), list(records)
    clock = report.clock
    asked = [index for index, record in enumerate(records) if min_score is None or record.get("score", 1.0) >= min_score]
    report.skipped = len(records) - len(asked)

    def cut(indices: list[int]) -> CutImage:
        return _cut_image(records, indices, images, refiner, clock)

    def put_back(predicted: PredictedImage) -> list[BoxMask]:
        return put_back_apart(refiner, predicted) if exclusive else refiner.put_back(predicted)

    def write(predicted: PredictedImage) -> tuple[CutImage, list[Record]]:
        with clock.stage("put back"):
            masks = put_back(predicted)
        with clock.stage("encode"):
            refined = [with_mask(records[i.key], mask) for i, mask in zip(predicted.cut.instances, masks, strict=True)]
        return predicted.cut, refined

    predicted = refiner.predict(ordered_map(cut, _by_image(records, asked), workers), clock, put_back, workers)
    for done, refined in ordered_map(write, predicted, workers):
        for instance, record in zip(done.instances, refined, strict=True):
            output[instance.key] = record
        report.add(done)
        on_progress(report.skipped + report.refined + report.kept.total())
    return output, report


def _by_image(records: Sequence[Record], asked: Sequence[int]) -> list[list[int]]:
    """The indices that are asked for, by image, images in the order of their first record."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index in asked:
        groups[repr(records[index]["image_id"])].append(index)
    return list(groups.values())


def _cut_image(records: Sequence[Record], indices: list[int], images: ImageFinder, refiner: Refiner, clock: StageClock) -> CutImage:
    """Decode one image and its masks and cut what can be refined; the token lists what cannot."""
    try:
        with clock.stage("read"):
            image = read_image(images.path(records[indices[0]]["image_id"]), _stated_frame(records[indices[0]]))
    except BadImage as error:
        return refiner.cut(np.empty((0, 0, 3), np.uint8), [], token=[_Kept("no image", indices, str(error))])
    instances, kept = [], []
    with clock.stage("decode masks"):
        for index in indices:
            try:
                mask = decode_mask(records[index]["segmentation"], image.shape[:2])
            except BadMask as error:
                kept.append(_Kept("bad mask", [index], str(error)))
                continue
            if mask.pixels.size:
                instances.append(Instance(mask, index))
            else:
                kept.append(_Kept("empty mask", [index], "the mask is empty"))
    with clock.stage("cut"):
        return refiner.cut(image, instances, token=kept)


def _stated_frame(record: Record) -> tuple[int, int] | None:
    """(H, W) that an RLE says; polygons do not."""
    size = record["segmentation"].get("size") if isinstance(record["segmentation"], dict) else None
    return tuple(size) if isinstance(size, list) and len(size) == 2 else None
