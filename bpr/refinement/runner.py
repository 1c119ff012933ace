"""Refine records image by image: read, cut, predict, put back and encode, in overlapping stages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bpr.errors import BadImage, BadMask
from bpr.formats.coco import Record, with_mask
from bpr.formats.photos import read_photo
from bpr.geometry.alpha import hard_edges
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask
from bpr.io.image_finder import ImageFinder
from bpr.io.pixels import Range
from bpr.io.record_file import called
from bpr.raster.exclusive import claim_of
from bpr.refinement.alpha_files import AlphaFiles
from bpr.refinement.batching import CutImage, PredictedImage
from bpr.refinement.choice import Choice
from bpr.refinement.grouping import group_by_image
from bpr.refinement.outcome import FinishedImage, Kept, RunReport, StageClock
from bpr.refinement.pipeline import ordered_map
from bpr.refinement.predictor import Instance, Settled, weight_of
from bpr.refinement.refiner import Refiner

BATCHES_AFTER_STOP = 8
"""Batches for the image that the network has when a run is stopped: seconds, and enough for nearly every image."""
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
    claims: bool = False,
    alphas: AlphaFiles | None = None,
) -> Iterator[FinishedImage]:
    """Refine records image by image, in the order of ``groups``.

    The stages overlap, but never run far ahead of the consumer, so memory does not grow with the number of images.
    Other arguments as for :func:`refine_records`.

    Args:
        groups: the indices of the records of each image (:class:`~bpr.refinement.grouping.RecordsByImage`), drawn when
            they are needed.
        stopped: once it returns True, the image that the network has and those that are being put back are finished,
            and no others. The network gets at most :data:`BATCHES_AFTER_STOP` more batches.
        claims: add to every refined mask its claim on its pixels (:mod:`bpr.raster.exclusive`).
        alphas: gets the alpha of every record whose mask can be read.
    """
    clock = clock or StageClock()
    batches_left = iter(range(BATCHES_AFTER_STOP))
    clock.given_up = lambda: stopped() and next(batches_left, None) is None

    def cut(indices: Sequence[int]) -> CutImage[ImageRecords]:
        group = ImageRecords(indices, [records[i] for i in indices])
        return cut_image(group, images, refiner, exclusive, clock)

    def finish(predicted: PredictedImage[ImageRecords]) -> FinishedImage:
        with clock.stage("put back"):
            settled = refiner.put_back(predicted, exclusive)
        with clock.stage("encode"):
            image, group = predicted.cut, predicted.cut.token
            refined = {instance.key: one for instance, one in zip(image.instances, settled, strict=True)}
            coarse = {instance.key: instance.mask for instance in image.instances}
            pairs = zip(group.indices, group.records, strict=True)
            after = [
                _refined_record(record, coarse[i], refined[i], group.ranges, claims) if i in refined else record
                for i, record in pairs
            ]
            if alphas:
                _write_alphas(alphas, group, refined)
            taken = Counter(one.verdict.taken for one in settled if one.verdict)
            patches = image.earlier + len(image.batch)
            return FinishedImage(group.indices, after, patches, image.left_out, group.kept, taken, group.remark)

    predicted = refiner.predict(ordered_map(cut, groups, workers, LOOK_AHEAD), clock)

    def until_stopped() -> Iterator[PredictedImage[ImageRecords]]:
        while not stopped() and (image := next(predicted, None)) is not None:
            yield image

    yield from ordered_map(finish, until_stopped(), workers)


def _refined_record(record: Record, coarse: BoxMask, settled: Settled, ranges: Sequence[Range], claims: bool) -> Record:
    """The record with its refined mask and verdict; a mask that the verdict keeps is not encoded anew."""
    mask, verdict = settled.mask, settled.verdict
    about = (verdict.as_key if verdict else {}) | ({"stretch": [list(one) for one in ranges]} if ranges else {})
    changed = record
    if not (verdict and verdict.taken == "nothing" and mask is coarse):
        changed = with_mask(record, mask)
        if claims:
            changed["claim"] = claim_of(mask, settled.probability(mask.box))
    return {**changed, "bpr": about} if about else changed


def _write_alphas(alphas: AlphaFiles, group: ImageRecords, refined: Mapping[int, Settled]) -> None:
    for index, record in zip(group.indices, group.records, strict=True):
        try:
            alpha = refined[index].alpha() if index in refined else hard_edges(decode_mask(record["segmentation"]))
        except BadMask:  # the report names it
            continue
        alphas.add(record, index, len(group.indices) == 1, alpha)


class ImageRecords(NamedTuple):
    """The records of one image with their indices, those among them that cannot be refined, and how its pixels are seen.

    It accompanies the image through the network as the token of its :class:`~bpr.refinement.batching.CutImage`.
    """

    indices: Sequence[int]
    records: Sequence[Record]
    kept: Sequence[Kept] = ()
    ranges: Sequence[Range] = ()
    remark: str = ""


def cut_image(
    group: ImageRecords, images: ImageFinder, refiner: Refiner, exclusive: bool, clock: StageClock
) -> CutImage[ImageRecords]:
    """Read one image, decode its masks, and cut the patches of those that can be refined."""
    try:
        with clock.stage("read"):
            masks = [record["segmentation"] for record in group.records]
            photo = read_photo(images, group.records[0]["image_id"], masks, refiner.pixels)
    except BadImage as error:
        first = called(group.records[0], group.indices[0])
        missing = Kept("no image", group.indices, str(error), first)
        return refiner.start(np.empty((0, 0, 3), np.uint8), [], group._replace(kept=[missing]))
    instances, kept = [], []
    with clock.stage("decode masks"):
        for index, record in zip(group.indices, group.records, strict=True):
            try:
                mask = photo.mask(record["segmentation"])
            except BadMask as error:
                kept.append(Kept("bad mask", [index], str(error), called(record, index)))
                continue
            if mask.pixels.size:
                instances.append(Instance(mask, index, score=weight_of(record.get("score"))))
            else:
                kept.append(Kept("empty mask", [index], "the mask is empty", called(record, index)))
    with clock.stage("cut"):
        seen = group._replace(kept=kept, ranges=photo.ranges, remark=photo.remark)
        return refiner.start(photo.pixels, instances, seen, exclusive)
