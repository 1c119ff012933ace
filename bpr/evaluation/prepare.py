"""Detections and annotations in the form that the metrics read: every key is present and every mask is an RLE."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bpr.errors import BadMask, BPRError, shown
from bpr.formats.coco import Record
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import compress, encode_mask
from bpr.geometry.rle_batch import compress_all
from bpr.limits import is_id, is_score

Document = dict[str, Any]
Frames = dict[Any, tuple[int, int]]
MOST_UNREADABLE_LISTED = 3
"""A problem line describes this many unreadable masks and counts the rest."""


@dataclass(frozen=True)
class Detections:
    """The records of a results file, in file order.

    Attributes:
        records: after :func:`prepare_detections` their masks are compressed RLE.
        name: the name of the records in error messages, such as the path of their file.
        unreadable: how many masks could not be read and were replaced by empty ones.
        problems: one line for each reason why some records are ignored or count as misses.
    """

    records: list[Record]
    name: str
    unreadable: int = 0
    problems: Sequence[str] = ()


def image_frames(document: Document) -> Frames:
    """(H, W) by image id.

    Raises:
        BPRError: an image without a size.
    """
    frames = {image["id"]: (image.get("height"), image.get("width")) for image in document["images"]}
    for image_id, size in frames.items():
        if not all(type(side) is int for side in size):
            raise BPRError(f"annotations: image {image_id!r}: expected height and width in pixels, got {size}")
    return frames


def prepare_annotations(document: Document, name: str) -> Document:
    """A copy of an annotation file for the metrics; ``document`` is not changed.

    Annotations of images that the file does not list are left out (:func:`unlisted` reports them). The others get a
    compressed RLE, ``area`` and ``iscrowd``.

    Args:
        name: the name of the file in error messages.

    Raises:
        BPRError: an annotation without an image, a class or a readable mask, or with an invalid ``area`` or
        ``iscrowd``;
            an image without a size.
    """
    frames, prepared = image_frames(document), []
    for index, annotation in enumerate(document["annotations"]):
        where = f"{name}: annotation {index}"
        _check_keys(annotation, ("image_id", "category_id", "segmentation"), where)
        _check_ids(annotation, where)
        if annotation.get("iscrowd") not in (None, 0, 1):
            raise BPRError(f"{where}: iscrowd: expected 0 or 1, got {shown(annotation['iscrowd'])}")
        if annotation.get("area") is not None and not is_score(annotation["area"]):
            raise BPRError(
                f"{where}: area: expected a number of pixels, got {shown(annotation['area'])}; "
                "correct it or leave it out"
            )
        if annotation["image_id"] not in frames:
            continue
        try:
            segmentation, area = compress(annotation["segmentation"], frames[annotation["image_id"]])
        except BadMask as error:
            raise BPRError(f"{where}: {error}") from error
        known = {key: value for key, value in annotation.items() if value is not None}
        prepared.append({"iscrowd": 0, "area": area, **known, "segmentation": segmentation})
    return {**document, "annotations": prepared}


def unlisted(items: Sequence[Record], document: Document, kind: str) -> list[str]:
    """A line that reports the items whose image ``document`` does not list; no line if there are none.

    >>> unlisted([{"image_id": 1}, {"image_id": 7}, {"image_id": 8}], {"images": [{"id": 1}]}, "records")
    ['2 records of images that the annotation file does not list (first: record 1, image_id 7); they are ignored']
    """
    ids = {image["id"] for image in document["images"]}
    indices = [index for index, item in enumerate(items) if item["image_id"] not in ids]
    if not indices:
        return []
    first = f"first: {kind.removesuffix('s')} {indices[0]}, image_id {shown(items[indices[0]]['image_id'])}"
    return [f"{len(indices)} {kind} of images that the annotation file does not list ({first}); they are ignored"]


def prepare_detections(records: Iterable[Record], document: Document, name: str) -> Detections:
    """Detections for the metrics, in the order of ``records``.

    A mask that cannot be read is replaced by an empty one: it counts as a miss. Detections in images that ``document``
    does not list stay as they are; the metrics ignore them.

    Args:
        document: annotations, of which only the images are read.
        name: the name of the records in error messages, such as the path of their file.

    Raises:
        BPRError: a record without ``category_id`` or ``score``; no record lies in a listed image.
    """
    frames = image_frames(document)
    given = list(records)
    for index, record in enumerate(given):
        where = f"{name}: record {index}"
        _check_keys(record, ("category_id", "score"), where)
        if not is_score(record["score"]):
            raise BPRError(f"{where}: score: expected a finite number, got {shown(record['score'])}")
        _check_ids(record, where)
    listed = [index for index, record in enumerate(given) if record["image_id"] in frames]
    if given and not listed:
        first = given[0]["image_id"]
        raise BPRError(
            f"{name}: expected image_ids of the annotation file, got none (first: {first!r}); "
            "pass files of one data set"
        )
    sizes = [frames[given[index]["image_id"]] for index in listed]
    masks = compress_all([given[index].get("segmentation") for index in listed], sizes)
    prepared = given.copy()
    for index, mask, frame in zip(listed, masks, sizes, strict=True):
        segmentation, area = mask or (encode_mask(BoxMask.empty(frame)), 0)
        prepared[index] = {**given[index], "segmentation": segmentation, "area": area}
    unreadable = [index for index, mask in zip(listed, masks, strict=True) if mask is None]
    problems = [*unlisted(given, document, "records"), *_unreadable(given, unreadable, frames)]
    return Detections(prepared, name, len(unreadable), problems)


def _unreadable(records: Sequence[Record], indices: Sequence[int], frames: Frames) -> list[str]:
    """A line that reports the records at ``indices``, whose masks cannot be read, and the first reasons."""
    if not indices:
        return []
    reasons = [f"record {index}: {_reason(records[index], frames)}" for index in indices[:MOST_UNREADABLE_LISTED]]
    more = ["..."] if len(indices) > MOST_UNREADABLE_LISTED else []
    return [f"{len(indices)} unreadable masks count as empty ({'; '.join(reasons + more)})"]


def _reason(record: Record, frames: Frames) -> str:
    try:
        compress(record.get("segmentation"), frames[record["image_id"]])
    except BadMask as error:
        return str(error)
    raise AssertionError("compress_all refused a mask that compress accepts")


def _check_ids(item: Record, where: str) -> None:
    for key in ("image_id", "category_id"):
        if not is_id(item[key]):
            raise BPRError(f"{where}: {key}: expected a whole number or a string, got {shown(item[key])}")


def _check_keys(item: Record, keys: tuple[str, ...], where: str) -> None:
    missing = [key for key in keys if key not in item] if isinstance(item, dict) else list(keys)
    if missing:
        raise BPRError(f"{where}: expected {', '.join(keys)}, got no {', '.join(missing)}; correct it or leave it out")
