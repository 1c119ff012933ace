"""COCO results and annotation files <-> records. A record is the file's own dict: unknown keys stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bpr.errors import BPRError
from bpr.formats.files import read_json
from bpr.formats.rle import encode_mask
from bpr.geometry.masks import BoxMask

Record = dict[str, Any]


def read_results(path: str | Path) -> list[Record]:
    """The detections of a COCO results file, in its order.

    Raises:
        BPRError: not a list of objects with ``image_id`` and ``segmentation``.
    """
    records = read_json(path, "COCO results: a JSON list of detections")
    if not isinstance(records, list):
        hint = "; annotation files go to --ann" if isinstance(records, dict) and "annotations" in records else ""
        raise BPRError(f"{path}: expected COCO results (a JSON list of detections), got a JSON {type(records).__name__}{hint}")
    for index, record in enumerate(records):
        if not isinstance(record, dict) or "image_id" not in record or "segmentation" not in record:
            raise BPRError(f"{path}: record {index}: expected an object with image_id and segmentation, got {str(record)[:80]}")
    return records


def read_annotations(path: str | Path) -> dict[str, Any]:
    """A COCO annotation file with its ``images``, ``annotations`` and ``categories`` lists.

    Raises:
        BPRError: a list is missing or an image has no id, file name or size.
    """
    document = read_json(path, "a COCO annotation file")
    if not isinstance(document, dict) or not isinstance(document.get("images"), list):
        raise BPRError(f"{path}: expected a COCO annotation file with an images list, got none; results go first on the line")
    for image in document["images"]:
        if not isinstance(image, dict) or not {"id", "file_name"} <= image.keys():
            raise BPRError(f"{path}: images: expected objects with id and file_name, got {str(image)[:80]}")
    document.setdefault("annotations", [])
    return document


def with_mask(record: Record, mask: BoxMask) -> Record:
    """A copy of ``record`` that holds ``mask``; ``bbox`` and ``area`` follow it where the record has them."""
    changed = {**record, "segmentation": encode_mask(mask)}
    if "bbox" in record:
        changed["bbox"] = mask.bbox
    if "area" in record:
        changed["area"] = mask.area
    return changed
