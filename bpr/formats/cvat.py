"""CVAT for images 1.1: an XML file whose images hold polygons, masks and other shapes.

Only the coordinates of polygons and the runs of masks are replaced: attributes, groups, tracks, other shapes, labels
and everything else in the file stay as they are.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy as np

from bpr.errors import BPRError
from bpr.formats.format import Candidate, Format, PathKind
from bpr.formats.named_photos import Photos
from bpr.formats.polygons import polygon_rle
from bpr.formats.source import TextSource
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, encode_mask, row_runs
from bpr.io.files import open_regular
from bpr.io.image_finder import ImageFinder
from bpr.io.image_header import Frame
from bpr.io.kept_text import KeptText, Places, Span
from bpr.io.record_file import Record
from bpr.limits import is_frame

CVAT_FILE = "CVAT for images 1.1 (XML with annotations of images)"
"""How an error message names such a file."""
POLYGON, MASK = "polygon", "mask"
"""The shapes that are refined."""
ROOT = re.compile(rb"<annotations[\s>]")
HEAD = 4096
"""Bytes in which the first element of such a file begins."""
ATTRIBUTE = re.compile(r"""([^\s=<>"'/]+)(\s*=\s*)("[^"]*"|'[^']*')""")
TAG = re.compile(r"""<[^<>"']+(?:"[^"]*"|'[^']*'|[^<>"'])*>""")


class CvatFile(TextSource):
    """The polygons and masks of all images. A shape's class is its label.

    A mask has the size that the file states for its image.
    """

    def __init__(self, path: Path, images: Callable[[], ImageFinder]) -> None:
        self.path, self.texts, self._photos = path, [KeptText(path)], Photos(images)
        # The kind of every record's shape, and the byte at which its element begins.
        self._shapes: list[tuple[str, int]] = []
        self.records: list[Record] = []
        self._elements: list[str] = []
        self._image: tuple[str, Frame | None] = ("", None)
        self._found = self._tracks = 0
        self.left_out: dict[str, list[int]] = {}
        self._parse(path)
        self.entries = self._photos.entries
        if self._tracks and not self.entries:
            remedy = "export CVAT for images 1.1, which has the shapes of tracks by image"
            raise BPRError(f"{path}: expected {CVAT_FILE}, got one of a video; {remedy}")

    def _parse(self, path: Path) -> None:
        parser = expat.ParserCreate()

        def begin(name: str, values: dict[str, str]) -> None:
            depth = len(self._elements)
            self._elements.append(name)
            if depth == 1 and name == "image":
                sides = (values.get(side, "") for side in ("height", "width"))
                height, width = (int(side) if side.isdecimal() else 0 for side in sides)
                # A project's export has a folder for every subset.
                name, subset = values.get("name", ""), values.get("subset")
                self._image = self._photos.add([f"{subset}/{name}", name] if subset else [name], height, width)
            elif depth == 1 and name == "track":
                self._tracks += 1
            elif depth == 2 and self._elements[1] in ("image", "track"):
                if self._elements[1] == "image" and name in (POLYGON, MASK):
                    self._add(name, values, parser.CurrentByteIndex)
                else:
                    kind = f"shapes of type {name}" if self._elements[1] == "image" else "shapes of tracks"
                    self.left_out.setdefault(kind, []).append(self._found)
                self._found += 1

        def end(name: str) -> None:
            self._elements.pop()

        def refuse(*_: object) -> None:
            raise BPRError(f"{path}: expected XML without a document type, got one; remove it")

        parser.StartElementHandler, parser.EndElementHandler, parser.StartDoctypeDeclHandler = begin, end, refuse
        try:
            with open_regular(path) as file:
                if file.read(2) in (BOM_UTF16_LE, BOM_UTF16_BE):
                    raise BPRError(f"{path}: expected {CVAT_FILE} in UTF-8, got UTF-16; save it as UTF-8")
                file.seek(0)
                parser.ParseFile(file)
        except OSError as error:
            raise BPRError(f"{path}: cannot read it ({error.strerror}); expected {CVAT_FILE}") from None
        except (expat.ExpatError, LookupError, ValueError) as error:  # the last two: an encoding that Python or expat lacks
            raise BPRError(f"{path}: not valid XML ({error}); expected {CVAT_FILE}") from None

    def _add(self, kind: str, values: dict[str, str], start: int) -> None:
        image_id, frame = self._image
        segmentation = (_polygon if kind == POLYGON else _mask)(values, frame)
        base = {"image_id": image_id, "category_id": values.get("label", "")}
        self.records.append({**base, "segmentation": segmentation})
        self._shapes.append((kind, start))

    def places(self, values: Mapping[int, dict[str, str] | None]) -> list[Places]:
        tags = [(self._shapes[position][1], value or {}) for position, value in values.items()]
        return [lambda content: [_new_tag(content, *tag) for tag in tags]]

    def change(self, position: int, refined: Record) -> dict[str, str]:
        """The attributes of a shape that its mask decides; none where nothing remains of it."""
        mask = decode_mask(refined["segmentation"]).trimmed()
        if self._shapes[position][0] == POLYGON:
            points = ";".join(f"{x:.2f},{y:.2f}" for x, y in self.polygons.ring(mask))
            return {"points": points} if points else {}
        if not mask.pixels.size:
            self.polygons.empty += 1
            return {}
        height, width = mask.pixels.shape
        box = {"left": mask.left, "top": mask.top, "width": width, "height": height}
        return {"rle": ", ".join(map(str, row_runs(mask.pixels))), **{name: str(side) for name, side in box.items()}}


def _new_tag(content: bytes, start: int, values: dict[str, str]) -> Span:
    """The start tag at a byte of the file with other values of some attributes."""
    end = start
    while not (found := TAG.match(content[start:end].decode("latin-1"))):
        end = content.index(b">", end) + 1  # a value may hold a >
    # All attributes are looked at in their order, so that none is found in the value of another.
    tag = ATTRIBUTE.sub(lambda one: f'{one[1]}{one[2]}"{values[one[1]]}"' if one[1] in values else one[0], found[0])
    return Span(start, start + len(found[0]), tag.encode("latin-1"))


def _polygon(values: dict[str, str], frame: Frame | None) -> Any:
    """The RLE of a polygon; one that is no valid mask gives what :func:`decode_mask` refuses."""
    try:
        ring = [float(number) for point in values.get("points", "").split(";") for number in point.split(",")]
    except ValueError:
        return None
    return polygon_rle(ring, frame)


def _mask(values: dict[str, str], frame: Frame | None) -> Any:
    """The RLE of a mask; None where it is not valid."""
    try:
        left, top, width, height = (int(values[name]) for name in ("left", "top", "width", "height"))
        return rle_of_runs(np.array([int(run) for run in values["rle"].split(",")], np.int64), (left, top, width, height), frame)
    except (KeyError, ValueError, OverflowError):
        return None


def rle_of_runs(runs: np.ndarray, box: tuple[int, int, int, int], frame: Frame | None) -> Any:
    """COCO's RLE of a mask whose ``runs`` go along the rows of its ``box`` (XYWH); None where it is not valid."""
    left, top, width, height = box
    if frame is None or not is_frame(height, width) or (runs < 0).any() or (runs > height * width).any():
        return None
    if runs.sum() != height * width:
        return None
    pixels = np.repeat(np.arange(runs.size) % 2 == 1, runs).reshape(height, width)
    return encode_mask(BoxMask(pixels, left, top, frame).clipped())


def _recognises(candidate: Candidate) -> bool:
    try:
        with open_regular(candidate.path) as file:
            return bool(ROOT.search(file.read(HEAD)))
    except OSError:
        return False


def _images_beside(path: Path) -> Path:
    """The folder ``images`` of an unpacked export; where there is none, the folder of the file."""
    images = path.parent / "images"
    return images if images.is_dir() else path.parent


CVAT = Format(
    name="cvat",
    description="CVAT for images 1.1",
    path_kind=PathKind.XML_FILE,
    signature=CVAT_FILE,
    recognises=_recognises,
    read=lambda candidate, images: CvatFile(candidate.path, images),
    images_beside=_images_beside,
    polygons=True,
)
