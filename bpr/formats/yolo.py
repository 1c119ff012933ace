"""YOLO segmentation labels: a text file per image, with a line ``class x y x y ...`` per instance.

Coordinates are fractions of the image's width and height, so reading needs the images.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bpr.errors import BadImage, BPRError, shown
from bpr.formats.format import Format, PathKind, RecordSet, Target
from bpr.formats.photos import read_photo
from bpr.formats.polygons import PolygonWriter, polygon_rle
from bpr.formats.source import Source, in_groups
from bpr.geometry.rle import decode_mask
from bpr.io.files import atomic_open, inside, own_file, read_rows
from bpr.io.folders import atomic_folder
from bpr.io.images import ImageFinder
from bpr.io.kept_text import KeptText, Span
from bpr.io.record_file import Record

DECIMALS = 6
"""Decimals of a coordinate: a hundredth of a pixel in an image of 10,000."""


class YoloFolder(Source):
    """A folder of label files. An image's id is the path of its label file without the ending.

    A line with an even count of numbers, the class included, ends with a score. A line whose mask did not change is
    written back as it was.
    """

    format = "yolo"

    def __init__(self, folder: Path, images: ImageFinder) -> None:
        self._folder = folder
        self._files = sorted(folder.rglob("*.txt")) if folder.is_dir() else []
        if not self._files:
            raise BPRError(f"{folder}: expected a folder of YOLO label files (*.txt), got none")
        self._texts = [KeptText(own_file(folder, file)) for file in self._files]
        self._counts: list[int] = []
        self.records: list[Record] = []
        for file in self._files:
            lines = [line for line in read_rows(file) if line.strip()]
            self._counts.append(len(lines))
            self.records += self._read(file, lines, images)

    def _read(self, file: Path, lines: list[str], images: ImageFinder) -> Iterator[Record]:
        image_id = file.relative_to(self._folder).with_suffix("").as_posix()
        frame = _frame(images, image_id) if lines else None
        for number, line in enumerate(lines, start=1):
            label, score, ring = _fields(line, f"{file}: instance {number}")
            scored = {} if score is None else {"score": score}
            yield {"image_id": image_id, "category_id": label, **scored, "segmentation": _segmentation(ring, frame)}

    def folder(self, out: Path) -> Path | None:
        return out

    def write(self, refined: Iterable[Record], out: Path) -> None:
        """Write a folder of the same names.

        A changed mask is one polygon, on which further parts and holes hang by bridges of zero width.
        """
        with atomic_folder(out, "bpr refine") as folder:
            self.write_files(refined, folder)

    def write_files(self, refined: Iterable[Record], folder: Path) -> None:
        """Write the label files into a folder that is being made, with the changed lines in place of the old ones."""
        before, after = in_groups(self.records, self._counts), in_groups(refined, self._counts)
        for file, text, old, new in zip(self._files, self._texts, before, after, strict=True):
            lines = {
                row: _line(record, self.polygons)
                for row, (was, record) in enumerate(zip(old, new, strict=True))
                if was["segmentation"] != record["segmentation"]
            }
            text.write(partial(_row_spans, lines=lines), folder / file.relative_to(self._folder))


def _row_spans(content: bytes, lines: dict[int, str]) -> Iterator[Span]:
    """The rows of a label file that get other text; rows without any are not counted. An empty text changes nothing."""
    start, filled = 0, 0
    for row in content.decode("utf-8").splitlines(keepends=True):
        if row.strip():
            if line := lines.get(filled):
                yield Span(start, start + len(row.rstrip().encode()), line)
            filled += 1
        start += len(row.encode())


def _frame(images: ImageFinder, image_id: str) -> tuple[int, int] | None:
    """(H, W) of an image; None where it cannot be read, which the run reports when it comes to this image."""
    try:
        return read_photo(images, image_id, ()).frame
    except BadImage:
        return None


def _segmentation(ring: list[float], frame: tuple[int, int] | None) -> Any:
    """The RLE of a polygon given in fractions of the image; None without an image."""
    if frame is None:
        return None
    return polygon_rle([value * frame[1 - index % 2] for index, value in enumerate(ring)], frame)


def _fields(line: str, where: str) -> tuple[int, float | None, list[float]]:
    """The class, the score (None where the line has none) and the polygon's coordinates."""
    try:
        label, *numbers = line.split()
        category, values = int(label), [float(number) for number in numbers]
    except ValueError:
        raise BPRError(f"{where}: expected a class and numbers, got {shown(line)}") from None
    finite = all(map(math.isfinite, values))
    score = values.pop() if len(values) % 2 else None
    if len(values) < 6 or not finite:
        wanted = "expected a class and 3 or more points x y in fractions of the image"
        raise BPRError(f"{where}: {wanted}, got {shown(line)}")
    return category, score, values


def _line(record: Record, writer: PolygonWriter) -> str:
    """The line of a record; empty where its mask is."""
    mask = decode_mask(record["segmentation"])
    points = " ".join(f"{x:.{DECIMALS}f} {y:.{DECIMALS}f}" for x, y in writer.scaled_ring(mask, 1, DECIMALS))
    if not points:
        return ""
    return f"{record['category_id']} {points}" + (f" {record['score']}" if "score" in record else "")


def _write_new(record_set: RecordSet, out: Path) -> None:
    """Write a folder of label files; the classes are the category ids of the records.

    A record's score, if it has one, ends its line. An empty mask has no polygon and gets no line.
    """
    images = record_set.by_stem()
    with atomic_folder(out, "bpr convert") as folder:
        for stem, records in images.items():
            with atomic_open(inside(folder, f"{stem}.txt", "image_id")) as file:
                filled = [record for record in records if decode_mask(record["segmentation"]).area]
                file.writelines(f"{_line(record, record_set.polygons)}\n" for record in filled)


def _images_beside(path: Path) -> Path | None:
    """The folder ``images`` next to the folder ``labels`` that contains ``path``; None where there is no such folder.

    >>> _images_beside(Path("/set/labels/val")).as_posix()
    '/set/images/val'
    """
    parts = path.absolute().parts
    if "labels" not in parts:
        return None
    last = len(parts) - 1 - parts[::-1].index("labels")
    return Path(*parts[:last], "images", *parts[last + 1 :])


YOLO = Format(
    name=YoloFolder.format,
    description="YOLO segmentation labels",
    path_kind=PathKind.FOLDER,
    signature="YOLO labels (*.txt)",
    recognises=lambda candidate: any(candidate.path.rglob("*.txt")),
    read=lambda candidate, images: YoloFolder(candidate.path, images()),
    images_beside=_images_beside,
    ids_are_stems=True,
    polygons=True,
    certain_without_score=True,
    target=Target(_write_new, score="possible", empty=False),
)
