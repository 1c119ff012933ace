"""YOLO segmentation labels: a text file per image, with a line ``class x y x y ...`` per instance.

Coordinates are fractions of the image's width and height, so reading needs the images.

Exports have folders ``labels`` and ``images`` for each split, and ``data.yaml``: Roboflow writes ``train/labels`` and
``train/images``, Ultralytics ``labels/train`` and ``images/train``.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from bpr.errors import BadImage, BPRError, amount
from bpr.formats.format import Format, PathKind, RecordSet, Target
from bpr.formats.photos import read_photo
from bpr.formats.polygons import PolygonWriter, polygon_rle
from bpr.formats.source import TextSource, in_each_file, in_groups
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


class YoloFolder(TextSource):
    """A folder of label files. An image's id is the path of its label file without the ending.

    A line may end with a score, the id of a track, or both. A line whose mask did not change is written back as it was,
    and so are boxes. ``data.yaml`` and ``classes.txt`` in the folder name the classes.
    """

    format = "yolo"

    def __init__(self, folder: Path, images: ImageFinder) -> None:
        self._folder = folder
        texts = files_below(folder, (".txt",)) if folder.is_dir() else []
        self._others = [file for file in texts if is_named_text(own_file(folder, file))]
        self._others += [folder / DATA] if (folder / DATA).is_file() else []
        self._files = [file for file in texts if file not in self._others]
        if not self._files:
            raise BPRError(f"{folder}: expected a folder of YOLO label files (*.txt), got none")
        self.texts = [KeptText(own_file(folder, file)) for file in self._files]
        all_lines = [[line for line in read_rows(file) if line.strip()] for file in self._files]
        below = [file.relative_to(folder) for file in self._files]
        if all(file.parts[0] == LABELS for file in below):  # a whole data set, without its images
            below = [file.relative_to(LABELS) for file in below]
        self.image_ids = [file.with_suffix("").as_posix() for file in below]
        tails = tails_of(line for lines in all_lines for line in lines)
        if tails.unsure:
            ends = "a score and the id of a track" if tails.score_and_id else "a point"
            self.notes = [f"all lines end with a number and 1, read as {ends}"]
        self.records: list[Record] = []
        self.ends: list[str] = []
        self._rows: list[list[int]] = []
        boxes: list[int] = []
        count = 0
        for image_id, file, lines in zip(self.image_ids, self._files, all_lines, strict=True):
            fields = [read_fields(line, tails, f"{file}: instance {n}") for n, line in enumerate(lines, start=1)]
            rows = [row for row, each in enumerate(fields) if not each.is_box]
            boxes += [count + row for row, each in enumerate(fields) if each.is_box]
            count += len(lines)
            self._rows.append(rows)
            self.ends += [fields[row].end for row in rows]
            self.records += _records(image_id, [fields[row] for row in rows], images)
        self.left_out = {"boxes": boxes} if boxes else {}
        names = class_names(folder)
        highest = max([*names, *(record["category_id"] for record in self.records)], default=-1)
        self.categories = [{"id": number, "name": names.get(number, str(number))} for number in range(highest + 1)]

    def folder(self, out: Path) -> Path | None:
        return out

    def save(self, places: Iterable[Places], out: Path) -> None:
        """Write a folder of the same names."""
        with atomic_folder(out, "bpr refine") as folder:
            self.save_labels(places, folder)
            for file in self._others:
                with atomic_open(folder / file.relative_to(self._folder), "wb") as copy:
                    copy.write(own_file(self._folder, file).read_bytes())

    def save_labels(self, places: Iterable[Places], folder: Path) -> None:
        """Write the label files into a folder that is being made."""
        for file, text, of_file in zip(self._files, self.texts, places, strict=True):
            text.write(of_file, folder / file.relative_to(self._folder))

    def places(self, values: Mapping[int, str | None]) -> Iterator[Places]:
        of_files = zip(self._rows, in_each_file(values, map(len, self._rows)), strict=True)
        lines_of_files = ({rows[index]: line for index, line in of_file.items()} for rows, of_file in of_files)
        return (partial(_row_spans, lines=lines) for lines in lines_of_files)

    def change(self, position: int, refined: Record) -> str:
        return line_of(refined, self.polygons, self.ends[position])


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


class YoloExport(TextSource):
    """The label files of all splits. An image's id is its path below the folder without the ending."""

    format = "yolo-export"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        found = _label_folders(folder)
        if not found:
            raise BPRError(f"{folder}: expected folders {LABELS} beside folders {IMAGES} for the splits, got none")
        self._splits = [YoloFolder(path, ImageFolder(path.with_name(IMAGES))) for path in found]
        self._names = [path.relative_to(folder) for path in found]
        self._counts = [len(split.records) for split in self._splits]
        self.texts: list[KeptText] = []
        self.records: list[Record] = []
        self.image_ids: list[str] = []
        self.notes: list[str] = []
        self._ends: list[str] = []
        boxes: list[int] = []
        for name, split in zip(self._names, self._splits, strict=True):
            images, before = name.with_name(IMAGES).as_posix(), len(self.records) + len(boxes)
            self.texts += split.texts
            self.records += [{**record, "image_id": f"{images}/{record['image_id']}"} for record in split.records]
            self.image_ids += [f"{images}/{image_id}" for image_id in split.image_ids]
            self.notes += split.notes
            self._ends += split.ends
            boxes += [before + place for place in split.left_out.get("boxes", ())]
        self.left_out = {"boxes": boxes} if boxes else {}
        # Everything else of the export; the mark is that of an earlier output.
        labels = {text.path for text in self.texts}
        others = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MARK and path not in labels)
        own = {path: is_own_file(folder, path) for path in others}
        self._others = [path for path in others if own[path]]
        if links := [path for path in others if not own[path]]:
            self.notes.append(f"{amount(len(links), 'link')} out of {folder} will not be in the output, first: {links[0]}")
        self.notes += paths_elsewhere(folder)
        # The splits have the same names, but the highest numbers may be only in one.
        self.categories = max((split.categories or [] for split in self._splits), key=len)

    def folder(self, out: Path) -> Path | None:
        return out

    def places(self, values: Mapping[int, str | None]) -> Iterator[Places]:
        for split, in_split in zip(self._splits, in_each_file(values, self._counts), strict=True):
            yield from split.places(in_split)

    def change(self, position: int, refined: Record) -> str:
        return line_of(refined, self.polygons, self._ends[position])

    def save(self, places: Iterable[Places], out: Path) -> None:
        """Write the whole export: the label files anew, the images as links, all other files as copies."""
        groups = in_groups(places, [len(split.texts) for split in self._splits])
        with atomic_folder(out, "bpr refine") as folder:
            for name, split, of_split in zip(self._names, self._splits, groups, strict=True):
                split.save_labels(of_split, folder / name)
            for path in self._others:
                target = folder / path.relative_to(self._folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                if path == self._folder / DATA:
                    write_own_paths(path, target)
                elif path.suffix.lower() in SUFFIXES:
                    link_or_copy(path, target)
                else:
                    shutil.copyfile(path, target)


def _label_folders(folder: Path) -> list[Path]:
    """The folders of labels that lie beside folders of images."""
    found = sorted(path for path in (folder / LABELS, *folder.glob(f"*/{LABELS}")) if path.is_dir())
    return [path for path in found if path.with_name(IMAGES).is_dir() and files_below(path, (".txt",))]


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
    recognises=lambda candidate: any(not is_named_text(file) for file in files_below(candidate.path, (".txt",))),
    read=lambda candidate, images: YoloFolder(candidate.path, images()),
    images_beside=_images_beside,
    ids_are_stems=True,
    polygons=True,
    certain_without_score=True,
    target=Target(_write_new, score="possible", empty=False),
)
YOLO_EXPORT = Format(
    name=YoloExport.format,
    description="Roboflow's and Ultralytics' export folders",
    path_kind=PathKind.FOLDER,
    signature="an export (labels beside images)",
    recognises=lambda candidate: bool(_label_folders(candidate.path)),
    precedence=2,  # the folder also holds text files and may hold images that are PNGs
    read=lambda candidate, images: YoloExport(candidate.path),
    images_beside=lambda path: path,
    ids_are_stems=True,
    polygons=True,
    certain_without_score=True,
)
