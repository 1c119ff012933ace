"""Roboflow's and Ultralytics' exports: folders ``labels`` and ``images`` for each split, and ``data.yaml``.

Roboflow writes ``train/labels`` and ``train/images``, Ultralytics ``labels/train`` and ``images/train``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from bpr.errors import BPRError
from bpr.formats.format import Format, PathKind
from bpr.formats.source import TextSource, in_each_file, in_groups
from bpr.formats.yolo import YoloFolder, line_of
from bpr.io.files import link_or_copy, own_file
from bpr.io.folders import MARK, atomic_folder
from bpr.io.image_finder import ImageFolder
from bpr.io.kept_text import Places
from bpr.io.record_file import Record

LABELS, IMAGES = "labels", "images"
"""The names of the folders of labels and of images. Ultralytics finds a label by the name of the image's folder."""


def _label_folders(folder: Path) -> list[Path]:
    """The folders of labels that lie beside folders of images."""
    found = sorted(path for path in (folder / LABELS, *folder.glob(f"*/{LABELS}")) if path.is_dir())
    return [path for path in found if path.with_name(IMAGES).is_dir() and any(path.rglob("*.txt"))]


class YoloExport(TextSource):
    """The label files of all splits. An image's id is its path below the folder without the ending."""

    format = "yolo-export"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        found = _label_folders(folder)
        if not found:
            raise BPRError(f"{folder}: expected folders {LABELS} beside folders {IMAGES} for the splits, got none")
        self._splits = [YoloFolder(path, ImageFolder(path.with_name(IMAGES))) for path in found]
        self.texts = [text for split in self._splits for text in split.texts]
        self._names = [path.relative_to(folder) for path in found]
        above = [name.with_name(IMAGES).as_posix() for name in self._names]
        self.records: list[Record] = [
            {**record, "image_id": f"{images}/{record['image_id']}"}
            for images, split in zip(above, self._splits, strict=True)
            for record in split.records
        ]
        self._counts = [len(split.records) for split in self._splits]
        self._ends = [end for split in self._splits for end in split.ends]
        boxes: list[int] = []
        before = 0
        for split in self._splits:
            of_split = split.left_out.get("boxes", ())
            boxes += [before + place for place in of_split]
            before += len(split.records) + len(of_split)
        self.left_out = {"boxes": boxes} if boxes else {}
        self.notes = [note for split in self._splits for note in split.notes]
        self.image_ids = [
            f"{images}/{image_id}"
            for images, split in zip(above, self._splits, strict=True)
            for image_id in split.image_ids
        ]
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
        """Write the whole export: the label files anew, all other files, above all the images, as links or copies."""
        groups = in_groups(places, [len(split.texts) for split in self._splits])
        with atomic_folder(out, "bpr refine") as folder:
            for name, split, of_split in zip(self._names, self._splits, groups, strict=True):
                split.save_labels(of_split, folder / name)
            for path in sorted(self._folder.rglob("*")):
                target = folder / path.relative_to(self._folder)
                if path.is_file() and path.name != MARK and not target.exists():
                    link_or_copy(own_file(self._folder, path), target)


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
