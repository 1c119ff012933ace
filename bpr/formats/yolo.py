"""YOLO segmentation labels: a text file per image, with a line ``class x y x y ...`` per instance.

Coordinates are fractions of the image's width and height, so reading needs the images.

Exports have folders ``labels`` and ``images`` for each split, and ``data.yaml``: Roboflow writes ``train/labels`` and
``train/images``, Ultralytics ``labels/train`` and ``images/train``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from bpr.errors import BadImage, BPRError, amount
from bpr.formats.format import Format, PathKind, RecordSet, Target
from bpr.formats.photos import read_photo
from bpr.formats.polygons import PolygonWriter, polygon_rle
from bpr.formats.source import TextSource, in_each_file
from bpr.formats.yolo_lines import Fields, read_fields, tails_of
from bpr.formats.yolo_names import DATA, class_names, is_named_text, paths_elsewhere, write_names, write_own_paths
from bpr.geometry.rle import decode_mask
from bpr.io.files import atomic_open, decode_text, files_below, inside, is_own_file, link_or_copy, own_file, read_rows
from bpr.io.folders import MARK, atomic_folder
from bpr.io.image_finder import ImageFinder, ImageFolder
from bpr.io.image_list import SUFFIXES
from bpr.io.kept_text import KeptText, Places, Span
from bpr.io.record_file import Record

DECIMALS = 6
"""Decimals of a coordinate: a hundredth of a pixel in an image of 10,000."""
LABELS, IMAGES = "labels", "images"
"""The names of the folders of labels and of images. Ultralytics finds a label by the name of the image's folder."""


class _LabelFiles(TextSource):
    """The label files of one folder or several.

    A line may end with a score, the id of a track, or both. A line whose mask did not change is written back as it was,
    and so are boxes.

    Args:
        parts: the folders of labels, what precedes the ids of their images, and the images.
    """

    def __init__(self, path: Path, parts: Iterable[tuple[Path, str, ImageFinder]]) -> None:
        self.path = path
        self.texts: list[KeptText] = []
        self.records: list[Record] = []
        self.image_ids: list[str] = []
        self.notes: list[str] = []
        self.categories: list[dict[str, Any]] = []
        self._others: list[Path] = []
        self._ends: list[str] = []
        self._rows: list[list[int]] = []
        self._boxes: list[int] = []
        for folder, before, images in parts:
            self._read(folder, before, images)
        self.left_out = {"boxes": self._boxes} if self._boxes else {}

    def _read(self, folder: Path, before: str, images: ImageFinder) -> None:
        texts = files_below(folder, (".txt",)) if folder.is_dir() else []
        others = [file for file in texts if is_named_text(own_file(folder, file))]
        self._others += [*others, folder / DATA] if (folder / DATA).is_file() else others
        files = [file for file in texts if file not in others]
        if not files:
            raise BPRError(f"{folder}: expected a folder of YOLO label files (*.txt), got none")
        self.texts += [KeptText(own_file(folder, file)) for file in files]
        all_lines = [[line for line in read_rows(file) if line.strip()] for file in files]
        tails = tails_of(line for lines in all_lines for line in lines)
        if tails.unsure:
            ends = "a score and the id of a track" if tails.score_and_id else "a point"
            self.notes.append(f"all lines end with a number and 1, read as {ends}")
        below = [file.relative_to(folder) for file in files]
        if all(file.parts[0] == LABELS for file in below):  # a whole data set, without its images
            below = [file.relative_to(LABELS) for file in below]
        names = class_names(folder, len(folder.relative_to(self.path).parts))
        highest = max(names, default=-1)
        for file, name, lines in zip(files, below, all_lines, strict=True):
            fields = [read_fields(line, tails, f"{file}: instance {n}") for n, line in enumerate(lines, start=1)]
            rows = [row for row, each in enumerate(fields) if not each.is_box]
            first = len(self.records) + len(self._boxes)
            self._boxes += [first + row for row, each in enumerate(fields) if each.is_box]
            self._rows.append(rows)
            self._ends += [fields[row].end for row in rows]
            image_id = name.with_suffix("").as_posix()
            self.image_ids.append(f"{before}{image_id}")
            for record in _records(image_id, [fields[row] for row in rows], images):
                highest = max(highest, record["category_id"])
                self.records.append({**record, "image_id": f"{before}{image_id}"})
        categories = [{"id": number, "name": names.get(number, str(number))} for number in range(highest + 1)]
        # The parts have the same names, but the highest numbers may be only in one.
        self.categories = max(self.categories, categories, key=len)

    def places(self, values: Mapping[int, str | None]) -> Iterator[Places]:
        of_files = zip(self._rows, in_each_file(values, map(len, self._rows)), strict=True)
        lines_of_files = ({rows[index]: line for index, line in of_file.items()} for rows, of_file in of_files)
        return (partial(_row_spans, lines=lines) for lines in lines_of_files)

    def change(self, position: int, refined: Record) -> str:
        return line_of(refined, self.polygons, self._ends[position])


class YoloFolder(_LabelFiles):
    """A folder of label files. An image's id is the path of its label file without the ending.

    ``data.yaml`` and ``classes.txt`` in the folder name the classes.
    """

    def __init__(self, folder: Path, images: ImageFinder) -> None:
        super().__init__(folder, [(folder, "", images)])

    def save_others(self, target: Callable[[Path], Path]) -> None:
        for file in self._others:
            with atomic_open(target(file), "wb") as copy:
                copy.write(own_file(self.path, file).read_bytes())


def _row_spans(content: bytes, lines: dict[int, str | None]) -> Iterator[Span]:
    """The rows of a label file that get other text; rows without any are not counted."""
    text, encoding = decode_text(content)
    filled, start = 0, len(content) - len(text.encode(encoding))  # a byte order mark may precede the text
    for row in text.splitlines(keepends=True):
        if row.strip():
            if filled in lines:
                yield Span(start, start + len(row.rstrip().encode(encoding)), (lines[filled] or "").encode(encoding))
            filled += 1
        start += len(row.encode(encoding))


def _records(image_id: str, lines: list[Fields], images: ImageFinder) -> Iterator[Record]:
    try:
        frame = read_photo(images, image_id, ()).frame if lines else None
    except BadImage:
        frame = None  # the run reports it when it comes to this image
    for fields in lines:
        ends = {"score": fields.score, "track_id": fields.track}
        known = {key: value for key, value in ends.items() if value is not None}
        segmentation = None
        if frame is not None:
            segmentation = polygon_rle([value * frame[1 - index % 2] for index, value in enumerate(fields.ring)], frame)
        yield {"image_id": image_id, "category_id": fields.category, **known, "segmentation": segmentation}


def line_of(record: Record, writer: PolygonWriter, end: str) -> str:
    """The line of a record, empty where its mask is: one polygon, on which parts and holes hang by bridges of zero width.

    Args:
        end: the text after the points.
    """
    mask = decode_mask(record["segmentation"])
    points = " ".join(f"{x:.{DECIMALS}f} {y:.{DECIMALS}f}" for x, y in writer.scaled_ring(mask, 1, DECIMALS))
    return f"{record['category_id']} {points} {end}".rstrip() if points else ""


class YoloExport(_LabelFiles):
    """The label files of all splits. An image's id is its path below the folder without the ending."""

    def __init__(self, folder: Path) -> None:
        found, alone = _label_folders(folder)
        if not found:
            raise BPRError(f"{folder}: expected folders {LABELS} beside folders {IMAGES} for the splits, got none")
        beside = ((path, path.with_name(IMAGES)) for path in found)
        super().__init__(folder, [(path, f"{images.relative_to(folder).as_posix()}/", ImageFolder(images)) for path, images in beside])
        if alone:
            folders = amount(len(alone), "folder of labels", "folders of labels")
            self.notes.append(f"{folders} without a folder {IMAGES} beside, not read, first: {alone[0]}")
        # Everything else of the export; the mark is that of an earlier output.
        labels = {text.path for text in self.texts}
        others = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MARK and path not in labels)
        own = {path: is_own_file(folder, path) for path in others}
        self._others = [path for path in others if own[path]]
        if links := [path for path in others if not own[path]]:
            self.notes.append(f"{amount(len(links), 'link')} out of {folder} will not be in the output, first: {links[0]}")
        self.notes += paths_elsewhere(folder)

    def save_others(self, target: Callable[[Path], Path]) -> None:
        """Link the images, and copy all other files."""
        for path in self._others:
            copy = target(path)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if path == self.path / DATA:
                write_own_paths(path, copy)
            elif path.suffix.lower() in SUFFIXES:
                link_or_copy(path, copy)
            else:
                shutil.copyfile(path, copy)


def _label_folders(folder: Path) -> tuple[list[Path], list[Path]]:
    """The folders of labels, however deep: those that lie beside folders of images, and all others."""
    folders = {*folder.glob(f"*/{LABELS}"), *folder.rglob(LABELS)}  # the first also through links, which the second does not follow
    found = sorted(path for path in folders if path.is_dir() and files_below(path, (".txt",)))
    beside = [path for path in found if path.with_name(IMAGES).is_dir()]
    return beside, [path for path in found if path not in beside]


def _write_new(record_set: RecordSet, out: Path) -> None:
    """Write a folder of label files and ``data.yaml``, which names the classes; they are numbered from 0.

    A record's score, if it has one, ends its line. An empty mask has no polygon and gets no line.
    """
    images, classes = record_set.by_stem(), record_set.classes
    numbers = {category_id: number for number, category_id in enumerate(classes)}
    with atomic_folder(out, "bpr convert") as folder:
        write_names(folder / DATA, dict(enumerate(classes.values())))
        for stem, records in images.items():
            with atomic_open(inside(folder, f"{stem}.txt", "image_id")) as file:
                for record in records:
                    numbered = {**record, "category_id": numbers[record["category_id"]]}
                    if line := line_of(numbered, record_set.polygons, str(record.get("score", ""))):
                        file.write(f"{line}\n")


def _images_beside(path: Path) -> Path | None:
    """The folder ``images`` next to the folder ``labels`` that contains ``path``; None where there is no such folder.

    >>> _images_beside(Path("/set/labels/val")).as_posix()
    '/set/images/val'
    """
    whole = path.absolute()
    labels = next((folder for folder in (whole, *whole.parents) if folder.name == LABELS), None)
    return labels and labels.with_name(IMAGES) / whole.relative_to(labels)


YOLO = Format(
    name="yolo",
    description="YOLO segmentation labels",
    path_kind=PathKind.FOLDER,
    signature="YOLO labels (*.txt)",
    recognises=lambda candidate: any(not is_named_text(file) for file in files_below(candidate.path, (".txt",))),
    read=lambda candidate, images: YoloFolder(candidate.path, images()),
    images_beside=_images_beside,
    polygons=True,
    target=Target(_write_new, score="possible", empty=False),
)
YOLO_EXPORT = Format(
    name="yolo-export",
    description="Roboflow's and Ultralytics' export folders",
    path_kind=PathKind.FOLDER,
    signature="an export (labels beside images)",
    recognises=lambda candidate: bool(_label_folders(candidate.path)[0]),
    precedence=2,  # the folder also holds text files and may hold images that are PNGs
    read=lambda candidate, images: YoloExport(candidate.path),
    images_beside=lambda path: path,
    polygons=True,
)
