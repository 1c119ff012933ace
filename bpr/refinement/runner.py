"""Refine a results file: stream images, keep every record in its place, say what could not be refined."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from bpr.errors import BadImage, BadMask
from bpr.formats.coco import Record, with_mask
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, frame_of
from bpr.io.images import ImageFinder, read_image
from bpr.refinement.batching import CutImage, PredictedImage
from bpr.refinement.clock import StageClock
from bpr.refinement.outcome import FinishedImage, Kept, RunReport
from bpr.refinement.pipeline import ordered_map
from bpr.refinement.plan import plan_images
from bpr.refinement.predictor import Instance, weight_of
from bpr.refinement.refiner import Refiner

LOOK_AHEAD = 16
"""Images that may wait for the network: enough small ones to fill a batch, few enough large ones to hold."""


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
    plan = plan_images(records, min_score)
    report, output = RunReport(plan.records, skipped=plan.records - len(plan.indices)), list(records)
    for done in refine_images(output, plan, images, refiner, workers, exclusive, report.clock):
        for index, record in zip(done.indices, done.records, strict=True):
            output[index] = record
        report.add(done)
        on_progress(report.done)
    return output, report


def refine_images(
    records: Sequence[Record],
    groups: Iterable[Sequence[int]],
    images: ImageFinder,
    refiner: Refiner,
    workers: int = 2,
    exclusive: bool = False,
    clock: StageClock | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[FinishedImage]:
    """Refine records image by image, in the order of ``groups``.

    Reading, cutting, the network, putting back and encoding overlap; whoever draws the images sets the pace, and what is
    on its way does not grow with their number. Other arguments as for :func:`refine_records`.

    Args:
        groups: the indices of the records of each image (:class:`~bpr.refinement.plan.Plan`), drawn as they are needed.
        stopped: once it says so, images that are being put back are finished, and no others.
    """
    clock, put_back = clock or StageClock(), partial(refiner.put_back, exclusive=exclusive)

    def cut(indices: Sequence[int]) -> CutImage[_Asked]:
        return _cut_image(_Asked(indices, [records[index] for index in indices]), images, refiner, clock)

    def finish(predicted: PredictedImage[_Asked]) -> FinishedImage:
        with clock.stage("put back"):
            masks = put_back(predicted)
        with clock.stage("encode"):
            return _finished(predicted.cut, masks)

    cuts = ordered_map(cut, groups, workers, LOOK_AHEAD)
    yield from ordered_map(finish, _until(stopped, refiner.predict(cuts, clock)), workers)


def _until(stopped: Callable[[], bool], images: Iterator[PredictedImage[_Asked]]) -> Iterator[PredictedImage[_Asked]]:
    while not stopped() and (image := next(images, None)) is not None:
        yield image


def _finished(cut: CutImage[_Asked], masks: Sequence[BoxMask]) -> FinishedImage:
    """The image's records in their order, with the refined masks in those that have one."""
    asked = cut.token
    refined = {instance.key: mask for instance, mask in zip(cut.instances, masks, strict=True)}
    pairs = zip(asked.indices, asked.records, strict=True)
    whole = [with_mask(record, refined[index]) if index in refined else record for index, record in pairs]
    return FinishedImage(asked.indices, whole, len(cut.batch), cut.left_out, asked.kept)


class _Asked(NamedTuple):
    """What an image carries through the network: its records with their indices, and those that nothing can be done for."""

    indices: Sequence[int]
    records: Sequence[Record]
    kept: Sequence[Kept] = ()


def _cut_image(asked: _Asked, images: ImageFinder, refiner: Refiner, clock: StageClock) -> CutImage[_Asked]:
    """Decode one image and its masks and cut what can be refined; the token lists what cannot."""
    first = asked.records[0]
    try:
        with clock.stage("read"):
            image = read_image(images.path(first["image_id"]), frame_of(first["segmentation"]))
    except BadImage as error:
        missing = Kept("no image", asked.indices, str(error))
        return refiner.cut(np.empty((0, 0, 3), np.uint8), [], token=asked._replace(kept=[missing]))
    instances, kept = [], []
    with clock.stage("decode masks"):
        for index, record in zip(asked.indices, asked.records, strict=True):
            try:
                mask = decode_mask(record["segmentation"], image.shape[:2])
            except BadMask as error:
                kept.append(Kept("bad mask", [index], str(error)))
                continue
            if mask.pixels.size:
                instances.append(Instance(mask, index, score=weight_of(record.get("score"))))
            else:
                kept.append(Kept("empty mask", [index], "the mask is empty"))
    with clock.stage("cut"):
        return refiner.cut(image, instances, token=asked._replace(kept=kept))
