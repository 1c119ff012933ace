"""Refine a results file: stream images, keep every record in its place, say what could not be refined."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from bpr.errors import BadImage, BadMask
from bpr.formats.coco import Record, with_mask
from bpr.formats.images import ImageFinder, read_image
from bpr.formats.rle import decode_mask
from bpr.geometry.masks import BoxMask
from bpr.refinement.batching import CutImage, PredictedImage
from bpr.refinement.clock import StageClock
from bpr.refinement.exclusive import put_back_apart
from bpr.refinement.outcome import FinishedImage, Kept, RunReport
from bpr.refinement.pipeline import ordered_map
from bpr.refinement.predictor import Instance
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
    report, output = RunReport(len(records)), list(records)
    asked = [index for index, record in enumerate(records) if min_score is None or record.get("score", 1.0) >= min_score]
    report.skipped = len(records) - len(asked)
    for done in refine_images(records, asked, images, refiner, workers, exclusive, report.clock):
        for index, record in zip(done.indices, done.records, strict=True):
            output[index] = record
        report.add(done)
        on_progress(report.done)
    return output, report


def refine_images(
    records: Sequence[Record],
    asked: Sequence[int],
    images: ImageFinder,
    refiner: Refiner,
    workers: int = 2,
    exclusive: bool = False,
    clock: StageClock | None = None,
) -> Iterator[FinishedImage]:
    """Refine the records of the indices ``asked``, image by image, in the order of each image's first record.

    Reading, cutting, the network, putting back and encoding overlap; whoever draws the images sets the pace, and what is
    on its way does not grow with their number. Arguments as for :func:`refine_records`.
    """
    clock = clock or StageClock()

    def cut(indices: list[int]) -> CutImage:
        return _cut_image(records, indices, images, refiner, clock)

    def put_back(predicted: PredictedImage) -> list[BoxMask]:
        return put_back_apart(refiner, predicted) if exclusive else refiner.put_back(predicted)

    def finish(predicted: PredictedImage) -> FinishedImage:
        with clock.stage("put back"):
            masks = put_back(predicted)
        with clock.stage("encode"):
            return _finished(predicted.cut, masks, records)

    cuts = ordered_map(cut, _by_image(records, asked), workers, LOOK_AHEAD)
    yield from ordered_map(finish, refiner.predict(cuts, clock, put_back, workers), workers)


def _finished(cut: CutImage, masks: Sequence[BoxMask], records: Sequence[Record]) -> FinishedImage:
    """The image's records in their order, with the refined masks in those that have one."""
    token: _Asked = cut.token
    refined = {instance.key: with_mask(records[instance.key], mask) for instance, mask in zip(cut.instances, masks, strict=True)}
    whole = [refined.get(index, records[index]) for index in token.indices]
    return FinishedImage(token.indices, whole, cut.before + len(cut.batch), cut.left_out, token.kept)


class _Asked(NamedTuple):
    """What an image carries through the network: all its indices, and those of them that nothing can be done for."""

    indices: Sequence[int]
    kept: Sequence[Kept]


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
        return refiner.cut(np.empty((0, 0, 3), np.uint8), [], token=_Asked(indices, [Kept("no image", indices, str(error))]))
    instances, kept = [], []
    with clock.stage("decode masks"):
        for index in indices:
            try:
                mask = decode_mask(records[index]["segmentation"], image.shape[:2])
            except BadMask as error:
                kept.append(Kept("bad mask", [index], str(error)))
                continue
            if mask.pixels.size:
                instances.append(Instance(mask, index))
            else:
                kept.append(Kept("empty mask", [index], "the mask is empty"))
    with clock.stage("cut"):
        return refiner.cut(image, instances, token=_Asked(indices, kept))


def _stated_frame(record: Record) -> tuple[int, int] | None:
    """(H, W) that an RLE says; polygons do not."""
    size = record["segmentation"].get("size") if isinstance(record["segmentation"], dict) else None
    return tuple(size) if isinstance(size, list) and len(size) == 2 else None
