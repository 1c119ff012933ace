"""Which format a path holds, by what lies in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bpr.errors import BPRError, shown
from bpr.formats.cityscapes import CityscapesFolder, list_files
from bpr.formats.coco import AnnotationFile, ResultsFile
from bpr.formats.labels import BACKGROUND, IGNORED, LabelPngs
from bpr.formats.panoptic import PanopticFile
from bpr.formats.source import Source
from bpr.formats.yolo import YoloFolder
from bpr.io.files import json_errors, open_regular, read_json
from bpr.io.images import ImageFinder, ImageFolder, OneImage
from bpr.io.json_stream import JsonStream
from bpr.io.png import read_labels

ANY = "masks in JSON, a PNG, or a folder"
PICKLES = {".pkl", ".pickle", ".pth", ".pt"}


@dataclass(frozen=True)
class Found:
    """A path, and how to come to its images."""

    path: Path
    images: Callable[[], ImageFinder]

    @property
    def is_json(self) -> bool:
        return not self.path.is_dir() and self.path.suffix.lower() != ".png"

    def is_list(self) -> bool:
        """Whether its JSON is a list, by the first character."""
        with json_errors(self.path, ANY), open_regular(self.path) as file:
            return JsonStream(file, self.path).peek() == "["

    @cached_property
    def document(self) -> Any:
        """What its JSON holds."""
        return read_json(self.path, ANY)


READERS: dict[str, Callable[[Found], Source]] = {
    "coco": lambda found: ResultsFile(found.path),
    "annotations": lambda found: AnnotationFile(found.document, found.path),
    "panoptic": lambda found: PanopticFile(found.document, found.path),
    "cityscapes": lambda found: CityscapesFolder(found.path),
    "semantic": lambda found: LabelPngs(found.path, void=IGNORED),
    "masks": lambda found: LabelPngs(found.path, void=BACKGROUND),
    "yolo": lambda found: YoloFolder(found.path, found.images()),
}
UNSCORED = {"semantic", "masks", "yolo"}
"""Formats whose masks need no score."""
JSON_FORMATS = {"coco", "annotations", "panoptic"}
FOLDER_FORMATS = {"cityscapes", "yolo"}


def open_source(
    path: str | Path, format_name: str | None = None, img_dir: str | Path | None = None, entries: list[dict[str, Any]] | None = None
) -> tuple[Source, Callable[[], ImageFinder]]:
    """Read the masks of ``path``.

    Args:
        format_name: one of ``READERS``; by default what the content says.
        img_dir: folder of the images, or one image; by default where the format's users keep them.
        entries: the images list of an annotation file.

    Returns:
        The masks (their ``format`` says what was recognised), and how to come to their images (an error where there are none).

    Raises:
        BPRError: nothing there that any format describes, or what two formats describe.
    """
    path = Path(path)
    if path.suffix.lower() in PICKLES:
        raise BPRError(
            f"{path}: expected JSON, got a pickle, which may run code; let MMDetection write JSON with "
            "test_evaluator.outfile_prefix=results test_evaluator.format_only=True"
        )
    found = Found(path, lambda: _images(path, name, img_dir, entries))
    name = format_name or _recognise(found)
    if found.is_json != (name in JSON_FORMATS) or (name in FOLDER_FORMATS and not path.is_dir()):
        wanted = "a JSON file" if name in JSON_FORMATS else "a folder" if name in FOLDER_FORMATS else "a PNG or a folder of PNGs"
        raise BPRError(f"{path}: expected {wanted} for --format {name}, got something else")
    source = READERS[name](found)
    return source, lambda: _images(path, name, img_dir, source.entries if entries is None else entries)


def _recognise(found: Found) -> str:
    path = found.path
    if found.is_json:
        return "coco" if found.is_list() else _recognise_object(found.document, path)
    if path.is_dir() and list_files(path):
        return "cityscapes"
    pngs = [path] if path.is_file() else sorted(path.rglob("*.png"))
    if pngs:
        return _recognise_pngs(pngs)
    if any(path.rglob("*.txt")):
        return "yolo"
    raise BPRError(f"{path}: expected Cityscapes lists (*_pred.txt), label PNGs or YOLO labels (*.txt) in the folder, got none of them")


def is_panoptic(document: Any) -> bool:
    """Whether parsed JSON is of the panoptic format."""
    annotations = document.get("annotations") if isinstance(document, dict) else None
    return isinstance(annotations, list) and any(isinstance(item, dict) and "segments_info" in item for item in annotations)


def _recognise_object(document: Any, path: Path) -> str:
    if not isinstance(document, dict) or not {"images", "annotations"} & document.keys():
        wanted = "COCO results (a JSON list of records) or a COCO annotation file (an object with images and annotations)"
        raise BPRError(f"{path}: expected {wanted}, got {shown(document)}; give results as the list alone")
    return "panoptic" if is_panoptic(document) else "annotations"


def _recognise_pngs(pngs: Sequence[Path]) -> str:
    """One that can only be a label map decides for all; one that may be either is not guessed at."""
    doubtful = None
    for png in pngs:
        numbers = set(np.unique(read_labels(png)[0]).tolist())
        kind = _kind(numbers)
        if kind == "semantic":
            return kind
        if kind is None and doubtful is None:
            doubtful = f"{png}: expected masks or a label map, got a PNG of {shown(sorted(numbers))}, which may be either"
    if doubtful:
        raise BPRError(f"{doubtful}; say --format masks (0 is background) or --format semantic (0 is a class, 255 is none)")
    return "masks"


def _kind(numbers: set[int]) -> Literal["masks", "semantic"] | None:
    """What the numbers of one PNG say it is; None where they say nothing.

    One object lies on a background of 0. Classes have no background, or have 255 for void. Several numbers on 0 may be either.

    >>> _kind({0, 255}), _kind({1}), _kind({0, 26}), _kind({0, 1, 255}), _kind({7, 23})
    ('masks', 'masks', 'masks', 'semantic', 'semantic')
    >>> _kind({0, 1, 2}), _kind({0, 1, 3}), _kind({7})
    (None, None, None)
    """
    objects = numbers - {BACKGROUND}
    if len(objects) <= 1:
        return "masks" if BACKGROUND in numbers or objects <= {1, IGNORED} else None
    return None if BACKGROUND in numbers and IGNORED not in numbers else "semantic"


def _images(path: Path, name: str, img_dir: str | Path | None, entries: list[dict[str, Any]] | None) -> ImageFinder:
    if img_dir and Path(img_dir).is_file():
        return OneImage(Path(img_dir))
    return ImageFolder(img_dir or _beside(path, name), entries)


def _beside(path: Path, name: str) -> Path:
    """Where the images of a format lie when nobody says: beside an annotation file, in YOLO's images/ for its labels/."""
    if name == "annotations":
        return path.parent
    if name == "yolo" and "labels" in path.absolute().parts:
        parts = list(path.absolute().parts)
        place = len(parts) - 1 - parts[::-1].index("labels")
        return Path(*parts[:place], "images", *parts[place + 1 :])
    raise BPRError(f"{path}: expected --img-dir with the folder of the images, got none; the {name} format does not name it")
