"""YOLO-seg labels <-> records: a txt per image, a line ``class x y x y ...`` per instance, in fractions of the image."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from bpr.errors import BadImage, BadMask, BPRError, shown
from bpr.formats.coco import Record
from bpr.geometry.contours import outline
from bpr.geometry.rle import decode_mask, encode_mask
from bpr.io.files import atomic_open, inside, own_file, read_rows
from bpr.io.folders import atomic_folder
from bpr.io.images import ImageFinder, read_image


class YoloFolder:
    """A folder of label files; the image's id is the file's stem, its size comes from the image.

    A line may end with a score (an even count of numbers in all). A line whose mask did not change comes back as it was.
    """

    format = "yolo"
    exclusive = False
    left_out: Mapping[str, Sequence[int]] = {}
    entries = None

    def __init__(self, folder: Path, images: ImageFinder) -> None:
        self._folder = folder
        self._files = sorted(folder.rglob("*.txt")) if folder.is_dir() else []
        if not self._files:
            raise BPRError(f"{folder}: expected a folder of YOLO label files (*.txt), got none")
        self._lines: list[list[str]] = []
        self.records: list[Record] = []
        for file in self._files:
            self._lines.append([line for line in read_rows(own_file(folder, file)) if line.strip()])
            self.records += self._read(file, self._lines[-1], images)

    def _read(self, file: Path, lines: list[str], images: ImageFinder) -> Iterator[Record]:
        image_id = file.relative_to(self._folder).with_suffix("").as_posix()
        frame = _frame(images, image_id) if lines else None
        for number, line in enumerate(lines, start=1):
            label, score, ring = _fields(line, f"{file}: instance {number}")
            scored = {} if score is None else {"score": score}
            yield {"image_id": image_id, "category_id": label, **scored, "segmentation": _mask(ring, frame)}

    def folder(self, out: Path) -> Path | None:
        return out

    def write(self, refined: Iterable[Record], out: Path) -> None:
        """Write a folder of the same names; parts and holes of a mask hang on one polygon by bridges of no width."""
        left = iter(zip(self.records, refined, strict=True))
        with atomic_folder(out, "bpr refine") as folder:
            for file, lines in zip(self._files, self._lines, strict=True):
                pairs = zip(lines, islice(left, len(lines)), strict=True)
                with atomic_open(folder / file.relative_to(self._folder)) as text:
                    text.write("\n".join(_written(line, before, after) for line, (before, after) in pairs) + ("\n" if lines else ""))


def _written(line: str, before: Record, after: Record) -> str:
    return line if before["segmentation"] == after["segmentation"] else _line(after)


def _frame(images: ImageFinder, image_id: str) -> tuple[int, int] | None:
    """(H, W) of an image; None without one, and the runner says so when it comes to it."""
    try:
        height, width, _ = read_image(images.path(image_id)).shape
    except BadImage:
        return None
    return height, width


def _mask(ring: list[float], frame: tuple[int, int] | None) -> Any:
    """The RLE of a polygon in fractions; the polygon in pixels where it is no mask, None without an image."""
    if frame is None:
        return None
    scaled = [value * frame[1 - index % 2] for index, value in enumerate(ring)]
    try:
        return encode_mask(decode_mask([scaled], frame))
    except BadMask:  # whoever decodes it says why
        return [scaled]


def _fields(line: str, where: str) -> tuple[int, float | None, list[float]]:
    """Class, score where the line ends with one, and the polygon's numbers."""
    try:
        label, *numbers = line.split()
        category, values = int(label), [float(number) for number in numbers]
    except ValueError:
        raise BPRError(f"{where}: expected a class and numbers, got {shown(line)}") from None
    finite = all(map(math.isfinite, values))
    score = values.pop() if len(values) % 2 else None
    if len(values) < 6 or not finite:
        raise BPRError(f"{where}: expected a class and 3 or more points x y in fractions of the image, got {shown(line)}")
    return category, score, values


def _line(record: Record) -> str:
    mask = decode_mask(record["segmentation"])
    height, width = mask.frame
    points = " ".join(f"{x / width:.6f} {y / height:.6f}" for x, y in outline(mask).tolist())
    return f"{record['category_id']} {points}" + (f" {record['score']}" if "score" in record else "")


def write_new(images: Mapping[str, Sequence[Record]], out: Path) -> None:
    """Write the records of every image, by its stem, as YOLO labels; classes are the categories, whatever their numbers.

    A score ends the line of a record that has one. An empty mask has no polygon and gets no line.
    """
    with atomic_folder(out, "bpr convert") as folder:
        for stem, records in images.items():
            with atomic_open(inside(folder, f"{stem}.txt", "image_id")) as file:
                file.writelines(f"{_line(record)}\n" for record in records if decode_mask(record["segmentation"]).area)
