"""Cityscapes instance folders, and the ground truth of the data set (``gtFine``).

A folder of results holds lists, ``<stem>_pred.txt`` of ``<png> <labelId> <score>``, and one PNG per instance.
MMDetection writes masks as 0/1 and keeps ``_leftImg8bit`` in the stem, detectron2 writes 0/255, and SegFix names the
list ``<stem>_index.txt``. Names and numbers are written back as they were.

A folder of ground truth holds ``<city>/<stem>_gtFine_instanceIds.png``, where a pixel's number is label * 1000 + index
for an instance of a class that has instances, and the label for anything else.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bpr.errors import BPRError, shown
from bpr.formats.format import Format, PathKind, RecordSet, Target
from bpr.formats.source import Source, in_groups, written_like
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, encode_mask
from bpr.io.files import atomic_open, files_below, inside, own_file, read_rows
from bpr.io.folders import atomic_folder
from bpr.io.image_list import CITYSCAPES_ENDING
from bpr.io.images import frame_in_header
from bpr.io.png import read_labels, write_png
from bpr.io.record_file import Record

LISTS = ("_pred.txt", "_index.txt")
"""Ends of the names of instance lists."""
TRUTH_ENDING = "_gtFine_instanceIds.png"
"""The end of the names of ground-truth PNGs."""
FIRST_INSTANCE = 1000
"""Instances are numbered label * 1000 + index; a smaller number is the label of a group or of anything else."""
INSTANCE_CLASSES = {
    24: "person", 25: "rider", 26: "car", 27: "truck", 28: "bus", 31: "train", 32: "motorcycle", 33: "bicycle",
}  # fmt: skip
"""The classes that the benchmark evaluates, by label id."""


class ListedMask(NamedTuple):
    """One line of an instance list."""

    png: Path
    label: int
    score: float


def list_files(folder: Path) -> list[Path]:
    """The instance lists in a folder and below, sorted."""
    return [path for path in files_below(folder, (".txt",)) if path.name.endswith(LISTS)]


def stem_of(path: Path) -> str:
    """The stem of the image that a list belongs to.

    >>> stem_of(Path("aachen_000000_000019_leftImg8bit_pred.txt"))
    'aachen_000000_000019'
    """
    stem = path.name
    for ending in (*LISTS, CITYSCAPES_ENDING):
        stem = stem.removesuffix(ending)
    return stem


def read_list(path: Path) -> list[ListedMask]:
    """The masks in an instance list.

    Raises:
        BPRError: a line is not ``<png> <labelId> <score>``, or names a PNG outside of the folder.
    """
    listed = []
    for number, line in enumerate(read_rows(path), start=1):
        if line.strip():
            where = f"{path}: line {number}"
            try:
                name, label, score = line.rsplit(maxsplit=2)  # the name may contain spaces
                numbers = int(label), float(score)
            except ValueError:
                raise BPRError(f"{where}: expected <png> <labelId> <score>, got {shown(line)}") from None
            if not math.isfinite(numbers[1]):
                raise BPRError(f"{where}: expected a finite score, got {score}")
            listed.append(ListedMask(inside(path.parent, name.strip(), where), *numbers))
    return listed


class CityscapesFolder(Source):
    """A folder of instance lists and their PNGs; an image's id is the stem of its list without the usual endings."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self._lists = list_files(folder) if folder.is_dir() else []
        if not self._lists:
            raise BPRError(f"{folder}: expected a Cityscapes folder with <stem>_pred.txt files, got none")
        self._pngs: list[tuple[Path, int]] = []  # of every record, with its foreground value
        self.records: list[Record] = []
        for path in self._lists:
            for png, label, score in read_list(own_file(folder, path)):
                pixels, _ = read_labels(own_file(folder, png))
                segmentation = encode_mask(BoxMask.from_frame(pixels))
                base = {"image_id": stem_of(path), "category_id": label, "score": score}
                self.records.append({**base, "segmentation": segmentation})
                self._pngs.append((png, int(pixels.max()) or 1))

    def write(self, refined: Iterable[Record], out: Path) -> None:
        """Write a folder of the same names: the lists unchanged, every PNG with the foreground value it had."""
        with written_like(self.path, out) as target:
            for path in self._lists:
                with atomic_open(target(path), "wb") as file:
                    file.write(path.read_bytes())
            for (png, value), record in zip(self._pngs, refined, strict=True):
                mask = decode_mask(record["segmentation"]).to_frame()
                pixels = mask * np.array(value, np.uint8 if value < 256 else np.uint16)
                write_png(target(png), pixels)


def truth_files(folder: Path) -> dict[str, Path]:
    """The ground-truth PNGs of instances (as in ``gtFine/val``) by the stem of their image.

    Raises:
        BPRError: there are none, or two of one image.
    """
    paths = truth_pngs(folder)
    if not paths:
        raise BPRError(f"{folder}: expected Cityscapes truth (*{TRUTH_ENDING}, as in gtFine/val), got none")
    found: dict[str, Path] = {}
    for path in paths:
        other = found.setdefault(path.name.removesuffix(TRUTH_ENDING), path)
        if other != path:
            raise BPRError(f"{folder}: expected one PNG for each image, got {other} and {path}; give one of their folders")
    return found


def truth_pngs(path: Path) -> list[Path]:
    """The ground-truth PNG that the path names, or all in the folder and below, sorted."""
    if path.is_dir():
        return [file for file in files_below(path, (".png",)) if file.name.endswith(TRUTH_ENDING)]
    return [path] if path.is_file() and path.name.endswith(TRUTH_ENDING) else []


class CityscapesTruth(Source):
    """The instances of ground truth, without groups; an image's id is its stem, a class its label id.

    Args:
        path: a folder such as ``gtFine/val``, or one ``*_gtFine_instanceIds.png``.

    Attributes:
        document: the ground truth as a COCO annotation file. A group of instances is a crowd. The images lie in folders
            of the same names as the PNGs, as in ``leftImg8bit``.
    """

    document: dict[str, Any]

    def __init__(self, path: Path) -> None:
        self.path, self._files = path, truth_files(path)
        self.document = truth_heading(path)
        annotations: list[Record] = self.document["annotations"]
        self._numbers: list[list[int]] = []
        for stem, png in self._files.items():
            ids, _ = read_labels(png)
            numbers = [number for number in np.unique(ids).tolist() if _label(number) in INSTANCE_CLASSES]
            self._numbers.append([number for number in numbers if number >= FIRST_INSTANCE])
            for number in numbers:
                mask = BoxMask.from_frame(ids == number)
                shape = {"segmentation": encode_mask(mask), "area": mask.area, "bbox": mask.bbox}
                what = {"id": len(annotations) + 1, "iscrowd": int(number < FIRST_INSTANCE)}
                annotations.append({"image_id": stem, "category_id": _label(number), **shape, **what})
        self.entries, self.categories = self.document["images"], self.document["categories"]
        crowds = [position for position, item in enumerate(annotations) if item["iscrowd"]]
        self.left_out = {"crowds": crowds} if crowds else {}
        self.records: list[Record] = [item for item in annotations if not item["iscrowd"]]

    def write(self, refined: Iterable[Record], out: Path) -> None:
        """Write PNGs of the same names; pixels that an instance gave up and no other took are 0, unlabeled."""
        groups = in_groups(refined, map(len, self._numbers))
        with written_like(self.path, out) as target:
            for png, numbers, records in zip(self._files.values(), self._numbers, groups, strict=True):
                ids, _ = read_labels(png)
                ids[np.isin(ids, numbers)] = 0
                for number, record in zip(numbers, records, strict=True):
                    ids[decode_mask(record["segmentation"]).to_frame()] = number
                write_png(target(png), ids)


def _label(number: int) -> int:
    return number // FIRST_INSTANCE if number >= FIRST_INSTANCE else number


def truth_heading(path: Path) -> dict[str, Any]:
    """The ground truth at a path as a COCO annotation file without annotations; the sizes are those in the headers."""
    folder = path if path.is_dir() else path.parent
    images = []
    for stem, png in truth_files(path).items():
        height, width = frame_in_header(own_file(folder, png)) or read_labels(png)[0].shape
        name = (png.parent.relative_to(folder) / f"{stem}{CITYSCAPES_ENDING}.png").as_posix()
        images.append({"id": stem, "file_name": name, "height": height, "width": width})
    categories = [{"id": label, "name": name} for label, name in INSTANCE_CLASSES.items()]
    return {"images": images, "annotations": [], "categories": categories}


def _write_new(record_set: RecordSet, out: Path) -> None:
    """Write a list per image and PNGs of 0/255; the label ids are the category ids of the records."""
    images = record_set.by_stem()
    with atomic_folder(out, "bpr convert") as folder:
        for stem, records in images.items():
            path = inside(folder, f"{stem}_pred.txt", "image_id")
            lines = []
            for index, record in enumerate(records):
                name = f"{Path(stem).name}_{index}_{record['category_id']}.png"
                mask = decode_mask(record["segmentation"]).to_frame()
                write_png(inside(path.parent, name, "image_id"), mask * np.uint8(255))
                lines.append(f"{name} {record['category_id']} {record['score']}\n")
            with atomic_open(path) as file:
                file.writelines(lines)


CITYSCAPES = Format(
    name="cityscapes",
    description="Cityscapes instance folder",
    path_kind=PathKind.FOLDER,
    signature="Cityscapes lists (*_pred.txt)",
    recognises=lambda candidate: bool(list_files(candidate.path)),
    precedence=2,  # the folder also holds PNGs and text files
    read=lambda candidate, images: CityscapesFolder(candidate.path),
    target=Target(_write_new, score="needed"),
)
CITYSCAPES_TRUTH = Format(
    name="gtfine",
    description="Cityscapes ground truth, a gtFine folder",
    path_kind=PathKind.PICTURES,
    signature="Cityscapes truth (*_gtFine_instanceIds.png)",
    recognises=lambda candidate: bool(truth_pngs(candidate.path)),
    precedence=2,  # the folder also holds label PNGs
    read=lambda candidate, images: CityscapesTruth(candidate.path),
    exclusive=True,
)
