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
        entries: the images list of an annotation file: names and sizes of the images, those without a record too. Without
            it an image is called as its id.

    Raises:
        BPRError: a mask that cannot be read, masks that overlap where the format forbids it.
    """
    frames = {entry["id"]: (entry["height"], entry["width"]) for entry in entries if {"height", "width"} <= entry.keys()}
    readable = [_readable(record, frames, index) for index, record in enumerate(records)]
    if target == "coco":
        write_json(out, readable)
        return
    stems = {entry["id"]: str(Path(str(file_name(entry))).with_suffix("")) for entry in entries}
    images: dict[str, list[Record]] = {stem: [] for stem in stems.values()}
    for record in readable:
        stem = stems.get(record["image_id"], str(record["image_id"]))
        images.setdefault(stem, []).append(record)
    WRITERS[target](images, out)


def _readable(record: Record, frames: Mapping[Any, tuple[int, int]], index: int) -> Record:
    """The record with an RLE, class and score."""
    try:
        mask = decode_mask(record["segmentation"], frames.get(record["image_id"]))
    except BadMask as error:
        raise BPRError(f"record {index}: {error}; give --ann with the sizes of the images or leave the record out") from None
    return {"category_id": 1, "score": 1.0, **with_mask(record, mask)}
