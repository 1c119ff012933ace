"""Detections and annotations in the form that the metrics read: every key is present and every mask is an RLE."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bpr.errors import BadMask, BPRError, amount, shown
from bpr.formats.coco import INSTANCES, Record, is_crowd, positions_by_kind
from bpr.formats.source import left_out_lines
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import checked_frame, compress, encode_mask, has_mask
from bpr.geometry.rle_batch import compress_all
from bpr.io.image_list import ImageList
from bpr.io.record_file import called
from bpr.limits import is_id, is_score

Document = dict[str, Any]
Frame = tuple[int, int]
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


def listed_classes(document: Document) -> set[Any]:
    """The ids of the categories; without a list of them, those of the annotations."""
    listed = {category["id"] for category in document.get("categories") or ()}
    used = (item.get("category_id") for item in document["annotations"] if isinstance(item, dict))
    return listed or {key for key in used if is_id(key)}


def counted(records: Sequence[Record], document: Document) -> list[int]:
    """The indices of the prepared records that count: those of listed images and classes."""
    images, classes = {image["id"] for image in document["images"]}, listed_classes(document)
    pairs = enumerate(records)
    return [index for index, item in pairs if item["image_id"] in images and item["category_id"] in classes]


def prepare_annotations(document: Document, name: str) -> Document:
    """A copy of an annotation file for the metrics; ``document`` is not changed.

    Annotations without a mask, of unlisted images, and of unlisted classes are left out (:func:`left_out` reports
    them). The others get the listed id of their image, a compressed RLE, ``area``, and ``iscrowd`` as a number. Images
    get the size of their masks where the list states none.

    Args:
        name: the name of the file in error messages.

    Raises:
        BPRError: an annotation without an image, a class or a readable mask, or with an invalid ``area`` or
            ``iscrowd``; no annotation fits the images list, or none the categories.
    """
    images, classes = ImageList(document["images"]), listed_classes(document)
    frames = {image["id"]: images.frame(image["id"]) for image in images.entries}
    given, prepared = document["annotations"], []
    for index, annotation in enumerate(given):
        where = f"{name}: {called(annotation, index, 'annotation')}"
        _check(annotation, ("image_id", "category_id"), where)
        crowd, image_id = is_crowd(annotation, where), images.id_of(annotation["image_id"])
        if annotation.get("area") is not None and not is_score(annotation["area"]):
            raise BPRError(
                f"{where}: area: expected a number of pixels, got {shown(annotation['area'])}; "
                "correct it or leave it out"
            )
        is_listed = image_id is not None and annotation["category_id"] in classes
        if not is_listed or not has_mask(annotation.get("segmentation")):
            continue
        try:
            segmentation, area = compress(annotation["segmentation"], frames[image_id])
        except BadMask as error:
            if frames[image_id]:
                raise BPRError(f"{where}: {error}") from error
            remedy = f"give the size of image {shown(image_id)} in the images list"
            raise BPRError(f"{where}: {error}; {remedy}") from error
        frames[image_id] = frames[image_id] or tuple(segmentation["size"])
        known = {key: value for key, value in annotation.items() if value is not None}
        changed = {"image_id": image_id, "segmentation": segmentation, "iscrowd": int(crowd)}
        prepared.append({"area": area, **known, **changed})
    check_some_fit(given, images, classes, f"{name}: annotations")
    sizes = {key: {"height": frame[0], "width": frame[1]} for key, frame in frames.items() if frame}
    sized = [{**image, **sizes.get(image["id"], {})} for image in document["images"]]
    return {**document, "images": sized, "annotations": prepared}


def left_out(document: Document) -> list[str]:
    """A line for each reason why some annotations of a file do not count, or not as instances.

    >>> left_out({"images": [{"id": 1}], "annotations": [{"image_id": 1, "category_id": 1, "segmentation": []}]})
    ['left out: 1 of 1 annotation, without a mask (first: annotation 0)']
    """
    annotations, images, classes = document["annotations"], ImageList(document["images"]), listed_classes(document)
    return [*unlisted(annotations, images, classes, "annotations"), *no_instances(annotations)]


def no_instances(annotations: Sequence[Record]) -> list[str]:
    """A line for each kind of annotation that is no instance."""
    others = {kind: found for kind, found in positions_by_kind(annotations).items() if kind != INSTANCES}
    return left_out_lines(others, len(annotations), annotations)


def unlisted(items: Sequence[Record], images: ImageList, classes: set[Any], kind: str) -> list[str]:
    """A line that reports the items of unlisted images, and one for the items of unlisted classes.

    >>> items = [{"image_id": 1, "category_id": 2}, {"image_id": 7, "category_id": 3}]
    >>> print(*unlisted(items, ImageList([{"id": 1}]), {3}, "items"), sep=chr(10))
    1 item of images that the annotation file does not list (first: item 1, image_id 7); ignored
    1 item of classes that the annotation file does not list (first: item 0, category_id 2); ignored
    """
    of_images = [index for index, item in enumerate(items) if images.id_of(item["image_id"]) is None]
    of_classes = [index for index, item in enumerate(items) if item["category_id"] not in classes]
    lines = []
    for indices, key, what in ((of_images, "image_id", "images"), (of_classes, "category_id", "classes")):
        if indices:
            one, found = kind.removesuffix("s"), items[indices[0]]
            first = f"{called(found, indices[0], one)}, {key} {shown(found[key])}"
            problem = f"{amount(len(indices), one)} of {what} that the annotation file does not list"
            lines.append(f"{problem} (first: {first}); ignored")
    return lines


def check_some_fit(items: Sequence[Record], images: ImageList, classes: set[Any], name: str) -> None:
    """Raise a BPRError where there are items, and none has a listed image, or none a listed class."""
    remedy = "pass files of one data set"
    if items and all(images.id_of(item["image_id"]) is None for item in items):
        got = f"got none (first: {shown(items[0]['image_id'])})"
        raise BPRError(f"{name}: expected image_ids of the annotation file, {got}; {remedy}")
    if items and classes and all(item["category_id"] not in classes for item in items):
        got = f"got none (first: {shown(items[0]['category_id'])})"
        raise BPRError(f"{name}: expected category_ids of the annotation file, {got}; {remedy}")


def prepare_detections(records: Iterable[Record], document: Document, name: str) -> Detections:
    """Detections for the metrics, in the order of ``records``, with the listed ids of their images.

    A mask that cannot be read is replaced by an empty one: it counts as a miss. Detections of images or classes that
    ``document`` does not list stay as they are; the metrics ignore them.

    Args:
        document: prepared annotations, of which only images and classes are read.
        name: the name of the records in error messages, such as the path of their file.

    Raises:
        BPRError: a record without ``category_id`` or ``score``; no record has a listed image, or none a listed class.
    """
    images, classes = ImageList(document["images"]), listed_classes(document)
    frames = {image["id"]: images.frame(image["id"]) for image in images.entries}
    given = list(records)
    for index, record in enumerate(given):
        where = f"{name}: {called(record, index)}"
        _check(record, ("category_id", "score"), where)
        if not is_score(record["score"]):
            raise BPRError(f"{where}: score: expected a finite number, got {shown(record['score'])}")
    check_some_fit(given, images, classes, name)
    ids = [images.id_of(record["image_id"]) for record in given]
    listed = [index for index, image_id in enumerate(ids) if image_id is not None]
    for index in listed:  # an image without a size has that of its first RLE
        frames[ids[index]] = frames[ids[index]] or checked_frame(given[index].get("segmentation"))
    sizes = [frames[ids[index]] for index in listed]
    masks = compress_all([given[index].get("segmentation") for index in listed], sizes)
    prepared, broken = given.copy(), []
    for index, mask, frame in zip(listed, masks, sizes, strict=True):
        segmentation, area = mask or (encode_mask(BoxMask.empty(frame or (1, 1))), 0)
        prepared[index] = {**given[index], "image_id": ids[index], "segmentation": segmentation, "area": area}
        if mask is None:
            broken.append((index, frame))
    problems = unlisted(given, images, classes, "records")
    if broken:
        first = broken[:MOST_UNREADABLE_LISTED]
        reasons = [f"{called(given[index], index)}: {_reason(given[index], frame)}" for index, frame in first]
        reasons += ["..."] if len(broken) > len(first) else []
        count = "masks count" if len(broken) > 1 else "mask counts"
        problems.append(f"{len(broken)} unreadable {count} as empty ({'; '.join(reasons)})")
    return Detections(prepared, name, len(broken), problems)


def _reason(record: Record, frame: Frame | None) -> str:
    try:
        compress(record.get("segmentation"), frame)
    except BadMask as error:
        return str(error)
    raise AssertionError("compress_all refused a mask that compress accepts")


def _check(item: Record, keys: tuple[str, ...], where: str) -> None:
    """Raise a BPRError where an item lacks one of the keys, or its image or class has no valid id."""
    missing = [key for key in keys if key not in item] if isinstance(item, dict) else list(keys)
    if missing:
        raise BPRError(f"{where}: expected {', '.join(keys)}, got no {', '.join(missing)}; correct it or leave it out")
    for key in ("image_id", "category_id"):
        if not is_id(item[key]):
            raise BPRError(f"{where}: {key}: expected a whole number or a string, got {shown(item[key])}")
