"""Write the records of any format as a new file or folder of another format."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bpr.errors import BadMask, BPRError, amount, shown
from bpr.formats.coco import CERTAIN, with_mask
from bpr.formats.format import RecordSet, Target
from bpr.formats.registry import FORMATS
from bpr.geometry.rle import decode_mask
from bpr.io.image_list import ImageList
from bpr.io.record_file import Record, called
from bpr.limits import is_id, is_score


def convert(given: RecordSet, target_name: str, out: Path) -> tuple[int, list[str]]:
    """Write records in another format.

    Args:
        given: the records as they were read.
        target_name: a format of :data:`bpr.formats.registry.FORMATS` that has a ``target``.

    Returns:
        How many masks were written, and one line for each kind of record that was completed or left out.

    Raises:
        BPRError: the format holds no ``polygons``, a record's image id, class, score or mask cannot be written, two
            images have the same name, or masks overlap where the format forbids it. Nothing is written then.
    """
    target, records = FORMATS[target_name].target, given.records
    if target is None:
        raise ValueError(f"target_name: expected a format that can be written, got {target_name}")
    given.polygons.check(FORMATS[target_name].polygons, target_name)
    for index, record in enumerate(records):
        _check_record(record, target, called(record, index))
    prepared = [_prepared(record, given.images, index) for index, record in enumerate(records)]
    unscored = [index for index, record in enumerate(prepared) if target.score == "needed" and "score" not in record]
    for index in unscored:
        prepared[index]["score"] = CERTAIN
    empty = [index for index, record in enumerate(prepared) if not (target.empty or decode_mask(record["segmentation"]).area)]
    target.write(replace(given, records=prepared), out)
    notes = []
    for positions, done, problem in (
        (unscored, f"score {CERTAIN} given to", "without one"),
        (empty, "left out:", f"empty masks, which {target_name} cannot hold"),
    ):
        if positions:
            first = called(records[positions[0]], positions[0])
            notes.append(f"{done} {len(positions)} of {amount(len(records), 'record')}, {problem} (first: {first})")
    return len(records) - len(empty), notes


def _check_record(record: Record, target: Target, where: str) -> None:
    """Raise a BPRError where the format cannot hold the record's image id, class or score."""
    if not is_id(record["image_id"]):
        wanted = "expected a whole number or a string"
        raise BPRError(f"{where}: image_id: {wanted}, got {shown(record['image_id'])}")
    if target.category and "category_id" not in record:
        remedy = "add one, or convert to masks, which need none"
        raise BPRError(f"{where}: expected a category_id, which the format needs, got none; {remedy}")
    if target.category:
        category = record["category_id"]
        if not is_id(category) or (target.category == "number" and isinstance(category, str)):
            wanted = "a whole number" if target.category == "number" else "a whole number or a string"
            remedy = "correct it or leave the record out"
            raise BPRError(f"{where}: category_id: expected {wanted}, got {shown(category)}; {remedy}")
    if target.score and "score" in record and not is_score(record["score"]):
        got = shown(record["score"])
        raise BPRError(f"{where}: score: expected a finite number, got {got}; correct it or leave it out")


def _prepared(record: Record, images: ImageList | None, index: int) -> Record:
    """A copy whose mask is an RLE and whose class, if it is a number, is an integer."""
    frame = images.frame(record["image_id"]) if images else None
    try:
        mask = decode_mask(record["segmentation"], frame)
    except BadMask as error:
        if record["segmentation"] is None:  # a YOLO polygon, which is in fractions of an image that was not found
            remedy = "give --img-dir with its image or leave the record out"
        elif frame is None and isinstance(record["segmentation"], list):
            remedy = "give --ann with the sizes of the images or leave the record out"
        else:
            remedy = "correct it or leave the record out"
        raise BPRError(f"{called(record, index)}: {error}; {remedy}") from None
    prepared = with_mask(record, mask)
    if type(prepared.get("category_id")) is float:
        prepared["category_id"] = int(prepared["category_id"])
    return prepared
