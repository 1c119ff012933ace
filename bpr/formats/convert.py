"""Records of any format -> a new file or folder in another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bpr.errors import BadMask, BPRError
from bpr.formats import cityscapes, labels, panoptic, yolo
from bpr.formats.coco import Record, with_mask
from bpr.formats.files import write_json
from bpr.formats.images import file_name
from bpr.formats.rle import decode_mask

WRITERS: dict[str, Callable[[Mapping[str, Sequence[Record]], Path], None]] = {
    "cityscapes": cityscapes.write_new,
    "panoptic": panoptic.write_new,
    "yolo": yolo.write_new,
    "masks": labels.write_new,
}
TARGETS = ("coco", *WRITERS)


def convert(records: Sequence[Record], target: str, out: Path, entries: Sequence[dict[str, Any]] = ()) -> None:
    """Write ``records`` in the format ``target``.

    Args:
        entries: the images list of an annotation file: names, ids and sizes of the images, those without a record too.
            Without it an image is called as its id, and its id is what it is called.

    Raises:
        BPRError: a mask that cannot be read, masks that overlap where the format forbids it.
    """
    frames = {entry["id"]: (entry["height"], entry["width"]) for entry in entries if {"height", "width"} <= entry.keys()}
    readable = [_readable(record, frames, index) for index, record in enumerate(records)]
    stems = {entry["id"]: Path(str(file_name(entry))).with_suffix("").as_posix() for entry in entries}
    if target == "coco":
        ids = _ids(stems)
        write_json(out, [{**record, "image_id": ids.get(record["image_id"], record["image_id"])} for record in readable])
        return
    images: dict[str, list[Record]] = {stem: [] for stem in stems.values()}
    for record in readable:
        stem = stems.get(record["image_id"], str(record["image_id"]))
        images.setdefault(stem, []).append(record)
    WRITERS[target](images, out)


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


def _readable(record: Record, frames: Mapping[Any, tuple[int, int]], index: int) -> Record:
    """The record with an RLE, class and score."""
    try:
        mask = decode_mask(record["segmentation"], frames.get(record["image_id"]))
    except BadMask as error:
        raise BPRError(f"record {index}: {error}; give --ann with the sizes of the images or leave the record out") from None
    return {"category_id": 1, "score": 1.0, **with_mask(record, mask)}
