"""Records of any format -> a new file or folder in another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from bpr.errors import BadMask, BPRError, shown
from bpr.formats import cityscapes, labels, panoptic, yolo
from bpr.formats.coco import Record, with_mask
from bpr.geometry.rle import decode_mask
from bpr.io.files import write_json
from bpr.io.images import file_name
from bpr.limits import is_id, is_score

Category = Literal["number", "number or text"]


@dataclass(frozen=True)
class Target:
    """What a format asks of every record.

    Attributes:
        write: the records of every image, by its stem, to a folder or file; None for COCO results, which know no stems.
        category: whether a class has to be a whole number or may be a text too; None where none is written.
        score: whether every record needs a score, may have one, or None where none is written.
        empty: whether a mask without a pixel can be written.
    """

    write: Callable[[Mapping[str, Sequence[Record]], Path], None] | None
    category: Category | None = "number"
    score: Literal["needed", "possible"] | None = None
    empty: bool = True


TARGETS = {
    "coco": Target(None, category="number or text", score="needed"),
    "cityscapes": Target(cityscapes.write_new, score="needed"),
    "panoptic": Target(panoptic.write_new),
    "yolo": Target(yolo.write_new, score="possible", empty=False),
    "masks": Target(labels.write_new, category=None, empty=False),
}
CERTAIN = 1.0
"""The score of a record that has none, where the format asks for one: what was annotated is there."""


class Converted(NamedTuple):
    """How many masks were written, and what the records did not say or the format cannot hold, one line each."""

    written: int
    notes: list[str]


def convert(records: Sequence[Record], target: str, out: Path, entries: Sequence[dict[str, Any]] = ()) -> Converted:
    """Write ``records`` in the format ``target``.

    Args:
        entries: the images list of an annotation file: names, ids and sizes of the images, those without a record too.
            Without it an image is called as its id, and its id is what it is called.

    Raises:
        BPRError: a record whose image, class, score or mask cannot be written, two images of one name, masks that overlap
            where the format forbids it. Nothing is written then.
    """
    asked = TARGETS[target]
    for index, record in enumerate(records):
        _check_record(record, asked, f"record {index}")
    frames = _frames(entries)
    readable = [_readable(record, frames, index) for index, record in enumerate(records)]
    unscored = [index for index, record in enumerate(readable) if asked.score == "needed" and "score" not in record]
    for index in unscored:
        readable[index]["score"] = CERTAIN
    empty = [index for index, record in enumerate(readable) if not asked.empty and not decode_mask(record["segmentation"]).area]
    _write(readable, asked, out, {entry["id"]: _stem(entry) for entry in entries})
    notes = {f"have no score and got {CERTAIN}": unscored, f"are empty masks, which {target} cannot hold, and were left out": empty}
    lines = [f"{len(which)} of {len(records)} records {what} (first: record {which[0]})" for what, which in notes.items() if which]
    return Converted(len(records) - len(empty), lines)


def _frames(entries: Sequence[dict[str, Any]]) -> dict[Any, tuple[int, int]]:
    """(H, W) by image id, of the images whose entry says it."""
    sizes = {entry["id"]: (entry.get("height"), entry.get("width")) for entry in entries}
    return {image_id: (height, width) for image_id, (height, width) in sizes.items() if type(height) is type(width) is int}


def _write(records: Sequence[Record], asked: Target, out: Path, stems: Mapping[Any, str]) -> None:
    """Write checked records; ``stems`` names the images that are listed."""
    if asked.write:
        asked.write(_by_stem(records, stems), out)
        return
    ids = _ids(stems)
    write_json(out, [{**record, "image_id": ids.get(record["image_id"], record["image_id"])} for record in records])


def _check_record(record: Record, asked: Target, where: str) -> None:
    """Raise a BPRError where image, class or score are none that the format can hold."""
    if not is_id(record["image_id"]):
        raise BPRError(f"{where}: image_id: expected a whole number or a text, got {shown(record['image_id'])}")
    if asked.category:
        _check_category(record, asked.category, where)
    if asked.score and "score" in record and not is_score(record["score"]):
        raise BPRError(f"{where}: score: expected a finite number, got {shown(record['score'])}; mend it or leave it out")


def _check_category(record: Record, wanted: Category, where: str) -> None:
    if "category_id" not in record:
        raise BPRError(f"{where}: expected a category_id, which the format needs, got none; add one, or convert to masks, which need none")
    category = record["category_id"]
    if not is_id(category) or (wanted == "number" and isinstance(category, str)):
        kinds = "a whole number" if wanted == "number" else "a whole number or a text"
        raise BPRError(f"{where}: category_id: expected {kinds}, got {shown(category)}; mend it or leave the record out")


def _readable(record: Record, frames: Mapping[Any, tuple[int, int]], index: int) -> Record:
    """A copy with an RLE and, where it has a number for its class, a whole one."""
    frame = frames.get(record["image_id"])
    try:
        mask = decode_mask(record["segmentation"], frame)
    except BadMask as error:
        raise BPRError(f"record {index}: {error}; {_remedy(record['segmentation'], frame)}") from None
    changed = with_mask(record, mask)
    if type(changed.get("category_id")) is float:
        changed["category_id"] = int(changed["category_id"])
    return changed


def _remedy(segmentation: Any, frame: tuple[int, int] | None) -> str:
    if segmentation is None:  # of YOLO's fractions, which are nothing without an image
        return "give --img-dir with its image or leave the record out"
    if frame is None and isinstance(segmentation, list):
        return "give --ann with the sizes of the images or leave the record out"
    return "mend it or leave the record out"


def _stem(entry: dict[str, Any]) -> str:
    """What a folder calls an image of the images list: its file's name without the ending."""
    path = Path(str(file_name(entry)))
    return path.with_suffix("").as_posix() if path.name else ""


def _by_stem(records: Sequence[Record], stems: Mapping[Any, str]) -> dict[str, list[Record]]:
    """The records of every image that is listed or has one.

    Raises:
        BPRError: two images of one name, whose masks would lie in one file.
    """
    owners: dict[str, Any] = {}
    images: dict[str, list[Record]] = {stem: [] for stem in stems.values()}
    for record in records:
        image_id = record["image_id"]
        stem = stems.get(image_id, str(image_id))
        if owners.setdefault(stem, image_id) != image_id:
            ids = f"{shown(owners[stem])} and {shown(image_id)}"
            raise BPRError(f"images {ids}: expected names that differ without their ending, got {shown(stem)} twice; rename one")
        images.setdefault(stem, []).append(record)
    return images


def _ids(stems: Mapping[Any, str]) -> dict[str, Any]:
    """The id of an image by what a folder may call it: path, name, name without Cityscapes' ending; ambiguous names left out.

    >>> _ids({1: "ulm/a_leftImg8bit", 2: "ulm/0", 3: "bern/0"})
    {'ulm/a_leftImg8bit': 1, 'a_leftImg8bit': 1, 'a': 1, 'ulm/0': 2, 'bern/0': 3}
    """
    owners: dict[str, list[Any]] = {}
    for image_id, stem in stems.items():
        name = stem.rpartition("/")[2]
        for called in dict.fromkeys((stem, name, name.removesuffix("_leftImg8bit"))):
            owners.setdefault(called, []).append(image_id)
    return {called: ids[0] for called, ids in owners.items() if len(ids) == 1}
