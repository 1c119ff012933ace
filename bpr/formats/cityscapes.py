"""Cityscapes instance folders <-> records: ``<stem>_pred.txt`` lists ``<png> <labelId> <score>``, one PNG per instance.

MMDetection writes masks as 0/1 and keeps ``_leftImg8bit`` in the stem, detectron2 as 0/255; SegFix calls the list
``<stem>_index.txt``. All of it comes back as it came.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bpr.errors import BPRError, shown
from bpr.formats.coco import Record
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, encode_mask
from bpr.io.files import atomic_open, inside, own_file, read_rows
from bpr.io.folders import atomic_folder
from bpr.io.png import read_labels, write_png

LISTS = ("_pred.txt", "_index.txt")
ENDING = "_leftImg8bit"
TRUTH_ENDING = "_gtFine_instanceIds.png"
INSTANCE_CLASSES = {24: "person", 25: "rider", 26: "car", 27: "truck", 28: "bus", 31: "train", 32: "motorcycle", 33: "bicycle"}
"""The label ids that the benchmark scores."""


class ListedMask(NamedTuple):
    """One line of an instance list."""

    png: Path
    label: int
    score: float


def list_files(folder: Path) -> list[Path]:
    """The instance lists of a folder, by name."""
    return sorted(path for path in folder.rglob("*.txt") if path.name.endswith(LISTS))


def stem_of(path: Path) -> str:
    """The image that a list belongs to.

    >>> stem_of(Path("aachen_000000_000019_leftImg8bit_pred.txt"))
    'aachen_000000_000019'
    """
    stem = path.name
    for ending in (*LISTS, ENDING):
        stem = stem.removesuffix(ending)
    return stem


def read_list(path: Path) -> list[ListedMask]:
    """The masks that a list names.

    Raises:
        BPRError: a line that is not ``<png> <labelId> <score>``, a PNG outside of the folder.
    """
    listed = []
    for number, line in enumerate(read_rows(path), start=1):
        if line.strip():
            name, label, score = _fields(line, f"{path}: line {number}")
            listed.append(ListedMask(inside(path.parent, name, f"{path}: line {number}"), label, score))
    return listed


class CityscapesFolder:
    """A folder of instance lists and their PNGs; the image's id is the list's stem without the usual endings."""

    format = "cityscapes"
    exclusive = False
    left_out: Mapping[str, Sequence[int]] = {}
    entries = None

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lists = list_files(folder) if folder.is_dir() else []
        if not self._lists:
            raise BPRError(f"{folder}: expected a Cityscapes folder with <stem>_pred.txt files, got none")
        self._entries = [entry for path in self._lists for entry in self._read(path)]
        self.records: list[Record] = [record for _, _, record in self._entries]

    def _read(self, path: Path) -> Iterator[tuple[Path, int, Record]]:
        """(PNG, value of its foreground, record) of every line."""
        for png, label, score in read_list(own_file(self._folder, path)):
            pixels, _ = read_labels(own_file(self._folder, png))
            segmentation = encode_mask(BoxMask.from_frame(pixels))
            record = {"image_id": stem_of(path), "category_id": label, "score": score, "segmentation": segmentation}
            yield png, int(pixels.max()) or 1, record

    def folder(self, out: Path) -> Path | None:
        return out

    def write(self, refined: Iterable[Record], out: Path) -> None:
        """Write a folder of the same names: the lists as they are, every PNG with the numbers that it had."""
        with atomic_folder(out, "bpr refine") as folder:
            for path in self._lists:
                with atomic_open(folder / path.relative_to(self._folder), "wb") as file:
                    file.write(path.read_bytes())
            for (png, value, _), record in zip(self._entries, refined, strict=True):
                mask = decode_mask(record["segmentation"]).to_frame()
                write_png(folder / png.relative_to(self._folder), mask * np.array(value, np.uint8 if value < 256 else np.uint16))


def truth_files(folder: Path) -> dict[str, Path]:
    """The instance PNGs of the truth (``gtFine/val``) by their image's stem.

    Raises:
        BPRError: there is none.
    """
    found = {path.name.removesuffix(TRUTH_ENDING): path for path in sorted(folder.rglob(f"*{TRUTH_ENDING}"))}
    if not found:
        raise BPRError(f"{folder}: expected Cityscapes truth (*{TRUTH_ENDING}, as in gtFine/val), got none")
    return found


def read_truth(folder: Path) -> dict[str, Any]:
    """The truth as a COCO annotation file; an image's id is its stem, a category's its label id, a group is a crowd."""
    images: list[Record] = []
    annotations: list[Record] = []
    for stem, path in truth_files(folder).items():
        ids, _ = read_labels(path)
        images.append({"id": stem, "file_name": f"{stem}{ENDING}.png", "height": ids.shape[0], "width": ids.shape[1]})
        for number in np.unique(ids).tolist():
            label = number // 1000 if number >= 1000 else number
            if label in INSTANCE_CLASSES:
                mask = BoxMask.from_frame(ids == number)
                base = {"image_id": stem, "category_id": label, "segmentation": encode_mask(mask), "area": mask.area, "bbox": mask.bbox}
                annotations.append({**base, "id": len(annotations) + 1, "iscrowd": int(number < 1000)})
    categories = [{"id": label, "name": name} for label, name in INSTANCE_CLASSES.items()]
    return {"images": images, "annotations": annotations, "categories": categories}


def _fields(line: str, where: str) -> tuple[str, int, float]:
    """PNG, label id and score; a file name may hold spaces."""
    try:
        name, label, score = line.rsplit(maxsplit=2)
        fields = name.strip(), int(label), float(score)
    except ValueError:
        raise BPRError(f"{where}: expected <png> <labelId> <score>, got {shown(line)}") from None
    if not math.isfinite(fields[2]):
        raise BPRError(f"{where}: expected a finite score, got {score}")
    return fields


def write_new(images: Mapping[str, Sequence[Record]], out: Path) -> None:
    """Write the records of every image, by its stem, as a Cityscapes folder with masks of 0/255; labels are the categories."""
    with atomic_folder(out, "bpr convert") as folder:
        for stem, records in images.items():
            path = inside(folder, f"{stem}_pred.txt", "image_id")
            lines = []
            for index, record in enumerate(records):
                png = inside(path.parent, f"{Path(stem).name}_{index}_{record['category_id']}.png", "image_id")
                write_png(png, decode_mask(record["segmentation"]).to_frame() * np.uint8(255))
                lines.append(f"{png.name} {record['category_id']} {record['score']}\n")
            with atomic_open(path) as file:
                file.writelines(lines)
