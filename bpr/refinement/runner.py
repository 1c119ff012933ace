"""Refine records image by image: read, cut, predict, put back and encode, in overlapping stages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from bpr.errors import BadImage, BadMask
from bpr.formats.coco import Record, with_mask
from bpr.formats.photos import read_photo
from bpr.io.images import ImageFinder
from bpr.refinement.batching import CutImage, PredictedImage
from bpr.refinement.choice import Choice
from bpr.refinement.grouping import group_by_image
from bpr.refinement.outcome import FinishedImage, Kept, RunReport, StageClock
from bpr.refinement.pipeline import ordered_map
from bpr.refinement.predictor import Instance, weight_of
from bpr.refinement.refiner import Refiner

LOOK_AHEAD = 16
"""Images that may wait for the network: enough small ones to fill a batch, few enough large ones to fit in memory."""


def refine_records(
    records: Sequence[Record],
    images: ImageFinder,
    refiner: Refiner,
    workers: int = 2,
    on_progress: Callable[[int], None] = lambda done: None,
    exclusive: bool = False,
    min_score: float | None = None,
) -> tuple[list[Record], RunReport]:
    """Refine COCO records in memory. No ground truth is needed.

    Args:
        images: finds the image of an ``image_id``.
        workers: threads that read, cut and put back; the result does not depend on their number.
        on_progress: called after each image with the number of records that are done.
        exclusive: the masks of an image do not overlap, and the refined masks must not overlap either.
        min_score: keep records with a lower score unchanged; None refines all.

    Returns:
        All records in their order, and the report.
    """
    by_image = group_by_image(records, Choice(min_score))
    report = RunReport(by_image.records, skipped=by_image.records - len(by_image.indices))
    output = list(records)
    for image in refine_images(output, by_image, images, refiner, workers, exclusive, report.clock):
        for index, record in zip(image.indices, image.records, strict=True):
            output[index] = record
        report.add(image)
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

    The stages overlap, but never run far ahead of the consumer, so memory does not grow with the number of images.
    Other arguments as for :func:`refine_records`.

    Args:
        groups: the indices of the records of each image (:class:`~bpr.refinement.grouping.RecordsByImage`), drawn when
            they are needed.
        stopped: once it returns True, images that are being put back are finished, and no others.
    """
    clock = clock or StageClock()

    def cut(indices: Sequence[int]) -> CutImage[ImageRecords]:
        return _cut_image(ImageRecords(indices, [records[i] for i in indices]), images, refiner, clock)

    def finish(predicted: PredictedImage[ImageRecords]) -> FinishedImage:
        with clock.stage("put back"):
            masks = refiner.put_back(predicted, exclusive=exclusive)
        with clock.stage("encode"):
            image, group = predicted.cut, predicted.cut.token
            refined = {instance.key: mask for instance, mask in zip(image.instances, masks, strict=True)}
            pairs = zip(group.indices, group.records, strict=True)
            after = [with_mask(record, refined[i]) if i in refined else record for i, record in pairs]
            return FinishedImage(group.indices, after, len(image.batch), image.left_out, group.kept)

    predicted = refiner.predict(ordered_map(cut, groups, workers, LOOK_AHEAD), clock)

    def until_stopped() -> Iterator[PredictedImage[ImageRecords]]:
        while not stopped() and (image := next(predicted, None)) is not None:
            yield image

    yield from ordered_map(finish, until_stopped(), workers)


class ImageRecords(NamedTuple):
    """The records of one image with their indices, and those among them that cannot be refined.

    It accompanies the image through the network as the token of its :class:`~bpr.refinement.batching.CutImage`.
    """

    indices: Sequence[int]
    records: Sequence[Record]
    kept: Sequence[Kept] = ()


def _cut_image(group: ImageRecords, images: ImageFinder, refiner: Refiner, clock: StageClock) -> CutImage[ImageRecords]:
    """Read one image, decode its masks, and cut the patches of those that can be refined."""
    try:
        with clock.stage("read"):
            masks = [record["segmentation"] for record in group.records]
            photo = read_photo(images, group.records[0]["image_id"], masks)
    except BadImage as error:
        missing = Kept("no image", group.indices, str(error))
        return refiner.cut(np.empty((0, 0, 3), np.uint8), [], token=group._replace(kept=[missing]))
    instances, kept = [], []
    with clock.stage("decode masks"):
        for index, record in zip(group.indices, group.records, strict=True):
            try:
                mask = photo.mask(record["segmentation"])
            except BadMask as error:
                kept.append(Kept("bad mask", [index], str(error)))
                continue
            if mask.pixels.size:
                instances.append(Instance(mask, index, score=weight_of(record.get("score"))))
            else:
                kept.append(Kept("empty mask", [index], "the mask is empty"))
    with clock.stage("cut"):
        return refiner.cut(photo.pixels, instances, token=group._replace(kept=kept))
