"""Detections and annotations as the metrics need them: every key there, every mask readable, or one clear error."""

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
MOST_NAMED = 3
"""Unreadable masks that are named one by one."""


@dataclass(frozen=True)
class Detections:
    """Records in file order with checked RLE masks; ``unreadable`` of them got an empty mask. ``name`` stands in errors.

    ``problems`` says, one line each, which records count for less than they were meant to.
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


def check_annotations(document: Document, name: str) -> Document:
    """The document with what the metrics read, ``document`` itself left as it is.

    Its annotations are those of its images, with compressed RLE, ``area`` and ``iscrowd``.

    Raises:
        BPRError: an annotation without an image, a class or a mask that can be read, or with an ``area`` or ``iscrowd`` that
            is none; an image without a size.
    """
    frames, checked = image_frames(document), []
    for index, annotation in enumerate(document["annotations"]):
        where = f"{name}: annotation {index}"
        _check_annotation(annotation, where)
        if annotation["image_id"] in frames:
            checked.append(_compressed(annotation, frames[annotation["image_id"]], where))
    return {**document, "annotations": checked}


def unlisted(items: Sequence[Record], document: Document, kind: str) -> list[str]:
    """One line on the items whose image ``document`` does not list, where there are some.

    >>> unlisted([{"image_id": 1}, {"image_id": 7}, {"image_id": 8}], {"images": [{"id": 1}]}, "records")
    ['2 records of images that the annotation file does not list (first: record 1, image_id 7); they count for nothing']
    """
    ids = {image["id"] for image in document["images"]}
    indices = [index for index, item in enumerate(items) if item["image_id"] not in ids]
    if not indices:
        return []
    first = f"first: {kind.removesuffix('s')} {indices[0]}, image_id {shown(items[indices[0]]['image_id'])}"
    return [f"{len(indices)} {kind} of images that the annotation file does not list ({first}); they count for nothing"]


def _check_annotation(annotation: Record, where: str) -> None:
    _check_keys(annotation, ("image_id", "category_id", "segmentation"), where)
    _check_ids(annotation, where)
    if annotation.get("iscrowd") not in (None, 0, 1):
        raise BPRError(f"{where}: iscrowd: expected 0 or 1, got {shown(annotation['iscrowd'])}")
    if annotation.get("area") is not None and not is_score(annotation["area"]):
        raise BPRError(f"{where}: area: expected a number of pixels, got {shown(annotation['area'])}; mend it or leave it out")


def is_checked(annotation: Record) -> bool:
    """Whether an annotation is as :func:`check_annotations` leaves it."""
    segmentation = annotation["segmentation"]
    return {"area", "iscrowd"} <= annotation.keys() and isinstance(segmentation, dict) and isinstance(segmentation.get("counts"), str)


def _compressed(annotation: Record, frame: tuple[int, int], where: str) -> Record:
    try:
        segmentation, area = compress(annotation["segmentation"], frame)
    except BadMask as error:
        raise BPRError(f"{where}: {error}") from error
    said = {key: value for key, value in annotation.items() if value is not None}
    return {"iscrowd": 0, "area": area, **said, "segmentation": segmentation}


def check_detections(records: Iterable[Record], document: Document, name: str) -> Detections:
    """Detections that the metrics can trust, aligned with ``records``.

    A mask that cannot be read becomes an empty one: it scores as a miss, as it does for whoever uses the file.
    Detections in images that ``document`` does not list stay as they are; no metric looks at them.

    Args:
        name: what to call the records in an error, such as their file.

    Raises:
        BPRError: a record without ``category_id`` or ``score``; none of the records lies in a listed image.
    """
    frames = image_frames(document)
    given = list(records)
    for index, record in enumerate(given):
        _check_record(record, f"{name}: record {index}")
    listed = [index for index, record in enumerate(given) if record["image_id"] in frames]
    sizes = [frames[given[index]["image_id"]] for index in listed]
    masks = compress_all([given[index].get("segmentation") for index in listed], sizes)
    checked = given.copy()
    for index, mask, frame in zip(listed, masks, sizes, strict=True):
        segmentation, area = mask or (encode_mask(BoxMask.empty(frame)), 0)
        checked[index] = {**given[index], "segmentation": segmentation, "area": area}
    unreadable = [index for index, mask in zip(listed, masks, strict=True) if mask is None]
    if given and not listed:
        first = checked[0]["image_id"]
        raise BPRError(f"{name}: expected image_ids of the annotation file, got none (first: {first!r}); pass files of one data set")
    problems = [*unlisted(given, document, "records"), *_unreadable(given, unreadable, frames)]
    return Detections(checked, name, len(unreadable), problems)


def _unreadable(records: Sequence[Record], indices: Sequence[int], frames: Frames) -> list[str]:
    """One line on the records at ``indices``, whose masks cannot be read, and what is wrong with the first of them."""
    if not indices:
        return []
    named = [f"record {index}: {_what_is_wrong(records[index], frames)}" for index in indices[:MOST_NAMED]]
    more = ["..."] if len(indices) > MOST_NAMED else []
    return [f"{len(indices)} unreadable masks count as empty ({'; '.join(named + more)})"]


def _what_is_wrong(record: Record, frames: Frames) -> str:
    try:
        compress(record.get("segmentation"), frames[record["image_id"]])
    except BadMask as error:
        return str(error)
    raise AssertionError("a mask that can be read alone and not among others")


def _check_record(record: Record, where: str) -> None:
    _check_keys(record, ("category_id", "score"), where)
    if not is_score(record["score"]):
        raise BPRError(f"{where}: score: expected a finite number, got {shown(record['score'])}")
    _check_ids(record, where)


def _check_ids(record: Record, where: str) -> None:
    for key in ("image_id", "category_id"):
        if not is_id(record[key]):
            raise BPRError(f"{where}: {key}: expected a whole number or a text, got {shown(record[key])}")


def _check_keys(record: Record, keys: tuple[str, ...], where: str) -> None:
    missing = [key for key in keys if key not in record] if isinstance(record, dict) else list(keys)
    if missing:
        raise BPRError(f"{where}: expected {', '.join(keys)}, got no {', '.join(missing)}; mend it or leave it out")
