"""LabelMe and X-AnyLabeling: a JSON file per image, beside it or in a folder of its own.

Polygons and masks are refined. All other shapes, all other keys and the spaces between them stay as they are.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bpr.errors import BPRError, amount, shown
from bpr.formats.format import Candidate, Format, PathKind
from bpr.formats.named_photos import Photos
from bpr.formats.polygons import polygon_rle
from bpr.formats.source import TextSource, in_each_file
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, encode_mask
from bpr.io.files import files_below, is_own_file, json_errors, link_or_copy, open_regular, own_file, read_json
from bpr.io.image_finder import ImageFinder
from bpr.io.image_header import Frame
from bpr.io.json_stream import JsonStream
from bpr.io.kept_text import Changes, KeptText, Places, json_places
from bpr.io.png import decode_labels, encode_png
from bpr.io.record_file import Record
from bpr.limits import is_score

LABELME = "a LabelMe or X-AnyLabeling file"
"""How an error message names such a file."""
KEYS = {"shapes", "imagePath"}
"""The keys by which such a file is recognised."""
POLYGON, MASK = "polygon", "mask"
"""The types of shapes that are refined."""


class ImageFile(NamedTuple):
    """One JSON file and the positions, in its list of shapes, of its records."""

    text: KeptText
    shapes: list[Any]
    positions: list[int]
    photo: str

    @property
    def photo_file(self) -> Path:
        """Where the file says that its photo lies."""
        return self.text.path.parent / self.photo


class LabelMeFiles(TextSource):
    """A JSON file, or a folder of them; a shape is a record, and its label is the class.

    The mask of a shape has the size that the file states for the image; where it states none, that of the photo.
    """

    def __init__(self, path: Path, images: Callable[[], ImageFinder]) -> None:
        self.path = path
        files = [own_file(path, file) for file in files_below(path, (".json",))] if path.is_dir() else [path]
        self._photos = Photos(images)
        self.records: list[Record] = []
        self.left_out: dict[str, list[int]] = {}
        self._count = 0
        self._files = [read for file in files if (read := self._read(file))]
        self._shapes = [file.shapes[position] for file in self._files for position in file.positions]
        self.texts, self.entries = [file.text for file in self._files], self._photos.entries
        if not self._files:
            raise BPRError(f"{path}: expected {LABELME} (an object with shapes and imagePath), got none")
        if path.is_dir() and (apart := [file for file in self._files if os.path.isfile(file.photo_file) and not self._holds(file)]):
            photos = amount(len(apart), "photo")
            self.notes = [f"{photos} outside of {path} will not be in the output, first: {apart[0].photo_file}"]

    def _read(self, path: Path) -> ImageFile | None:
        """One file; None where it is another JSON file."""
        text, document = KeptText(path), read_json(path, LABELME)
        if not isinstance(document, dict) or not document.keys() >= KEYS:
            return None
        shapes, photo = document["shapes"], document["imagePath"]
        if not isinstance(shapes, list) or not all(isinstance(shape, dict) for shape in shapes):
            raise BPRError(f"{path}: expected shapes to be a list of objects, got {shown(shapes)}")
        photo = photo if isinstance(photo, str) and photo else f"{path.stem}.jpg"
        below = path.relative_to(self.path).parent.as_posix() if self.path.is_dir() else "."
        names = [f"{below}/{photo}", photo]
        size = document.get("imageHeight"), document.get("imageWidth")
        image_id, frame = self._photos.add(names, *size, embedded=bool(document.get("imageData")))
        positions = []
        for position, shape in enumerate(shapes):
            kind = shape.get("shape_type") or POLYGON
            if kind in (POLYGON, MASK):
                positions.append(position)
                scored = {"score": shape["score"]} if is_score(shape.get("score")) else {}
                label = {"image_id": image_id, "category_id": str(shape.get("label"))}
                self.records.append({**label, **scored, "segmentation": _segmentation(shape, kind, frame)})
            else:
                self.left_out.setdefault(f"shapes of type {kind}", []).append(self._count + position)
        self._count += len(shapes)
        return ImageFile(text, shapes, positions, photo)

    def save_others(self, target: Callable[[Path], Path]) -> None:
        """Link the photos of a folder."""
        for file in self._files if self.path.is_dir() else ():
            copy = target(file.text.path).parent / file.photo
            if os.path.isfile(file.photo_file) and self._holds(file) and not copy.exists():
                link_or_copy(file.photo_file, copy)

    def _holds(self, file: ImageFile) -> bool:
        """Whether a photo belongs to the folder of files: neither ``..`` nor a link leads out of it."""
        return ".." not in Path(file.photo).parts and is_own_file(self.path, file.photo_file)

    def places(self, values: Mapping[int, Changes | None]) -> Iterator[Places]:
        counts = [len(file.positions) for file in self._files]
        for file, found in zip(self._files, in_each_file(values, counts), strict=True):
            yield json_places(Changes({file.positions[index]: value for index, value in found.items()}), "shapes")

    def change(self, position: int, refined: Record) -> Changes:
        shape, mask = self._shapes[position], decode_mask(refined["segmentation"])
        if shape.get("shape_type") != MASK:
            points = self.polygons.ring(mask)
            return Changes(points=points) if points else Changes()
        tight = mask.trimmed()
        if not tight.pixels.size:
            self.polygons.empty += 1
            return Changes()
        left, top, right, bottom = tight.box
        value = int(_mask_pixels(shape).max()) or 1
        png = base64.b64encode(encode_png(tight.pixels * np.uint8(value))).decode("ascii")
        # LabelMe's second corner is the last pixel of the mask.
        return Changes(points=[[float(left), float(top)], [right - 1.0, bottom - 1.0]], mask=png)


def _segmentation(shape: dict[str, Any], kind: str, frame: Frame | None) -> Any:
    """The RLE of a shape. A shape that is no valid mask gives what :func:`decode_mask` refuses."""
    try:
        flat = [float(value) for x, y in shape["points"] for value in (x, y)]
        if kind == POLYGON or frame is None:
            return polygon_rle(flat, frame)
        pixels = _mask_pixels(shape) > 0
        left, top = int(min(flat[::2])), int(min(flat[1::2]))
        return encode_mask(BoxMask(pixels, left, top, frame).clipped())
    except (KeyError, TypeError, ValueError, OverflowError, BPRError):
        return None


def _mask_pixels(shape: dict[str, Any]) -> np.ndarray:
    """(h, w) numbers of a mask shape's PNG."""
    try:
        content = base64.b64decode(shape["mask"], validate=True)
    except (KeyError, TypeError, binascii.Error) as error:
        raise BPRError(f"shape: expected a mask in base64, got {shown(shape.get('mask'))}") from error
    return decode_labels(content, "the mask of a shape")[0]


def _is_labelme(path: Path) -> bool:
    try:
        with json_errors(path, LABELME), open_regular(path) as file:
            stream = JsonStream(file, path)
            found = {key: stream.skip() for key in stream.names()} if stream.peek() == "{" else {}
    except BPRError:
        return False
    return found.keys() >= KEYS


def _recognises(candidate: Candidate) -> bool:
    if candidate.path.is_dir():
        return any(map(_is_labelme, files_below(candidate.path, (".json",))))
    return candidate.json_object.keys() >= KEYS


LABELME_FILES = Format(
    name="labelme",
    description="LabelMe and X-AnyLabeling",
    path_kind=PathKind.JSONS,
    signature="LabelMe's JSON (objects with shapes and imagePath)",
    recognises=_recognises,
    precedence=2,  # the folder may also hold the photos, as PNGs
    read=lambda candidate, images: LabelMeFiles(candidate.path, images),
    images_beside=lambda path: path if path.is_dir() else path.parent,
    polygons=True,
)
