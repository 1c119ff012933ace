"""COCO results and annotation files <-> records. A record is the file's own dict: unknown keys stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bpr.errors import BPRError, shown
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, encode_mask
from bpr.io.files import json_errors, open_regular, read_json, write_json, write_json_list
from bpr.io.json_stream import JsonStream
from bpr.io.record_file import RESULTS, Record, RecordFile, stream_records
from bpr.limits import check_categories, is_id

ANNOTATIONS = "a COCO annotation file"
INSTANCES, CROWDS, MASKLESS = "instances", "crowds", "without a mask"
ENTRY = ("id", "file_name", "height", "width")
"""What of an entry of an images list is asked for: which image, which file, which size."""


def read_results(path: str | Path) -> list[Record]:
    """The detections of a COCO results file, in its order, all in memory.

    Raises:
        BPRError: not a list of objects with ``image_id`` and ``segmentation``.
    """
    with json_errors(path, RESULTS), open_regular(path) as file:
        return list(stream_records(JsonStream(file, path), path))


def read_annotations(path: str | Path) -> dict[str, Any]:
    """A COCO annotation file with its ``images``, ``annotations`` and ``categories`` lists.

    Raises:
        BPRError: a list is missing, an image has no id or file name (``coco_url`` in LVIS), an id is none.
    """
    return check_annotations(read_json(path, ANNOTATIONS), path)


def read_images(path: str | Path) -> list[dict[str, Any]]:
    """The images list of a COCO annotation file, only what of each is asked for; its annotations are read past, one by one.

    Raises:
        BPRError: as for :func:`read_annotations`.
    """
    with json_errors(path, ANNOTATIONS), open_regular(path) as file:
        document = _skimmed(JsonStream(file, path), path)
    images: list[dict[str, Any]] = check_annotations(document, path)["images"]
    return images


def _skimmed(stream: JsonStream, path: str | Path) -> Any:
    """The document without the elements of its lists, except images and categories."""
    if stream.peek() != "{":
        return stream.skip()
    document = {}
    for key in stream.names():
        if key == "images" and stream.peek() == "[":
            document[key] = [_entry(image, path) for image in stream.elements()]
        else:
            document[key] = stream.value() if key == "categories" else stream.skip()
    stream.end()
    return document


def _entry(image: Any, path: str | Path) -> dict[str, Any]:
    check_image(image, path)
    keys = ENTRY if "file_name" in image else ("coco_url", *ENTRY)
    return {key: image[key] for key in keys if key in image}


def check_annotations(document: Any, path: str | Path) -> dict[str, Any]:
    """``document``, parsed from ``path``, if it is what :func:`read_annotations` promises."""
    if not isinstance(document, dict) or not isinstance(document.get("images"), list):
        hint = "; results go first on the line" if isinstance(document, list) else ""
        raise BPRError(f"{path}: expected a COCO annotation file with an images list, got none{hint}")
    for image in document["images"]:
        check_image(image, path)
    twice = [image_id for image_id, count in Counter(image["id"] for image in document["images"]).items() if count > 1]
    if twice:
        raise BPRError(f"{path}: images: expected every id once, got id {shown(twice[0])} twice; which file is meant cannot be told")
    if not isinstance(document.setdefault("annotations", []), list):
        raise BPRError(f"{path}: expected annotations to be a list, got {shown(document['annotations'])}")
    check_categories(document, path)
    return document


def check_image(image: Any, path: str | Path) -> None:
    """Raise a BPRError unless ``image`` is an entry of an images list."""
    if not isinstance(image, dict) or "id" not in image or not {"file_name", "coco_url"} & image.keys():
        raise BPRError(f"{path}: images: expected objects with id and file_name, got {shown(image)}")
    if not is_id(image["id"]):
        raise BPRError(f"{path}: images: expected an id that is a number or a text, got {shown(image['id'])}")


def with_mask(record: Record, mask: BoxMask) -> Record:
    """A copy of ``record`` that holds ``mask``; ``bbox`` and ``area`` follow it where the record has them."""
    changed = {**record, "segmentation": encode_mask(mask)}
    if "bbox" in record:
        changed["bbox"] = mask.bbox
    if "area" in record:
        changed["area"] = mask.area
    return changed


class ResultsFile:
    """COCO and LVIS results: a list of detections that may overlap, of any length."""

    format = "coco"
    exclusive = False
    left_out: Mapping[str, Sequence[int]] = {}
    entries = None

    def __init__(self, path: Path) -> None:
        self.records = RecordFile(path)

    def folder(self, out: Path) -> Path | None:
        return None

    def write(self, refined: Iterable[Record], out: Path) -> None:
        """Write the refined records to the JSON file ``out``, each when it comes."""
        write_json_list(out, refined)


class AnnotationFile:
    """A data set's own annotations (COCO, LVIS): what is not a mask survives as it is, and so do crowds.

    A mask that did not change keeps its very form, polygon or RLE; one that did is written as RLE, which can hold
    holes and parts exactly.
    """

    format = "annotations"
    exclusive = False

    def __init__(self, document: Any, path: Path) -> None:
        self._document = check_annotations(document, path)
        self.entries: list[dict[str, Any]] = document["images"]
        annotations = document["annotations"]
        for index, annotation in enumerate(annotations):
            if not isinstance(annotation, dict) or "image_id" not in annotation:
                raise BPRError(f"{path}: annotation {index}: expected an object with image_id, got {shown(annotation)}")
        places = _by_kind(annotations)
        self._places = places.pop(INSTANCES, [])
        self.left_out: Mapping[str, Sequence[int]] = places
        self.records: list[Record] = [annotations[index] for index in self._places]

    def folder(self, out: Path) -> Path | None:
        return None

    def write(self, refined: Iterable[Record], out: Path) -> None:
        """Write the document with the refined annotations in the place of the old ones."""
        annotations = list(self._document["annotations"])
        for place, record in zip(self._places, refined, strict=True):
            if not _same_mask(annotations[place], record):
                annotations[place] = record
        write_json(out, {**self._document, "annotations": annotations})


def _by_kind(annotations: Sequence[Record]) -> dict[str, list[int]]:
    """The places of the annotations that are masks of one object, and of those that are none, by what they are instead."""
    places: dict[str, list[int]] = {}
    for place, annotation in enumerate(annotations):
        kind = CROWDS if annotation.get("iscrowd") else INSTANCES if annotation.get("segmentation") else MASKLESS
        places.setdefault(kind, []).append(place)
    return places


def _same_mask(record: Record, refined: Record) -> bool:
    """Whether refining left the mask as it was; ``refined`` may be the record itself, unreadable mask and all."""
    if refined["segmentation"] == record["segmentation"]:
        return True
    mask = decode_mask(refined["segmentation"])
    return decode_mask(record["segmentation"], mask.frame).equals(mask)
