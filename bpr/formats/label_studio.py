"""Label Studio's JSON: a list of tasks, whose annotations and predictions hold regions.

Polygon and brush regions are refined. All other regions and keys, and the spaces between them, stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from bpr.errors import BadMask, BPRError, shown
from bpr.formats.brush_rle import decode_brush, encode_brush
from bpr.formats.format import Candidate, Format, PathKind
from bpr.formats.named_photos import Photos
from bpr.formats.polygons import polygon_rle
from bpr.formats.source import TextSource
from bpr.geometry.rle import decode_mask, encode_mask
from bpr.io.files import read_json
from bpr.io.image_finder import ImageFinder
from bpr.io.image_header import Frame
from bpr.io.image_list import SUFFIXES
from bpr.io.kept_text import Changes, KeptText, Places, json_places
from bpr.io.record_file import Record
from bpr.limits import is_score

TASKS = "Label Studio's JSON (a list of tasks with data, and annotations or predictions)"
"""How an error message names such a file."""
MADE_BY = ("annotations", "predictions")
"""The keys of a task whose regions are refined: those of persons and those of models."""
POINTS, RLE = "points", "rle"
"""The keys of a region's value that hold a polygon and a brush mask."""
UPLOADED = re.compile(r"^[0-9a-f]{8}-(?=.)")
"""What Label Studio puts before the name of an uploaded file."""
DECIMALS = 6
"""Decimals of a coordinate in per cent: a hundredth of a pixel has four in an image of 10,000."""


class Region(NamedTuple):
    """A region: its record's form, and where in the file its value stands.

    With a tag for the shape and one for the label, Label Studio writes a region twice, with one id and the same points.
    """

    kind: str
    task: int
    made_by: str
    annotation: int
    results: list[int]


class TaskFile(TextSource):
    """The regions of all tasks. A region's class is its label, or its labels with commas between them.

    The mask of a region has the size that the region states; where it states none, that of the photo.
    """

    def __init__(self, path: Path, images: Callable[[], ImageFinder]) -> None:
        self.path, self.texts, tasks = path, [KeptText(path)], read_json(path, TASKS)
        self._photos = Photos(images)
        self._regions: list[Region] = []
        self.records: list[Record] = []
        self._found = 0
        self.left_out: dict[str, list[int]] = {}
        if not isinstance(tasks, list):
            raise BPRError(f"{path}: expected {TASKS}, got {shown(tasks)}")
        for index, task in enumerate(tasks):
            if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
                raise BPRError(f"{path}: task {index}: expected an object with data, got {shown(task)}")
            for made_by in MADE_BY:
                self._read(task, index, made_by, f"{path}: task {index}: {made_by}")
        self.entries = self._photos.entries

    def _read(self, task: dict[str, Any], index: int, made_by: str, where: str) -> None:
        made = task.get(made_by) or []
        if not isinstance(made, list):
            raise BPRError(f"{where}: expected a list, got {shown(made)}")
        for number, annotation in enumerate(made):
            results = annotation.get("result", []) if isinstance(annotation, dict) else None
            if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
                raise BPRError(f"{where}: expected objects whose result is a list of objects, got {shown(annotation)}")
            regions: list[Region] = []
            of_id: dict[tuple[str, str], list[Region]] = {}
            for position, result in enumerate(results):
                kind = kind_of(result)
                if kind not in (POINTS, RLE):
                    self.left_out.setdefault(kind, []).append(self._found)
                    self._found += 1
                    continue
                shape, found = result["value"][kind], of_id.setdefault((kind, repr(result.get("id", ...))), [])
                twins = [one for one in found if results[one.results[0]]["value"][kind] == shape]
                if twins and result.get("id") is not None:
                    twins[0].results.append(position)
                else:
                    found.append(Region(kind, index, made_by, number, [position]))
                    regions.append(found[-1])
                self._found += 1
            for region in regions:
                self._add(region, [results[position] for position in region.results], task)

    def _add(self, region: Region, results: list[dict[str, Any]], task: dict[str, Any]) -> None:
        first = results[0]
        sides = first.get("original_height"), first.get("original_width")
        image_id, frame = self._photos.add((name for address in addresses(task, first) for name in names_in(address)), *sides)
        # Labels stand under the name of their tag: polygonlabels, brushlabels, labels.
        values = [result["value"] for result in results]
        lists = [names for value in values for key, names in value.items() if key.endswith("labels")]
        labels = [str(name) for names in lists if isinstance(names, list) for name in names]
        record = {"image_id": image_id, "category_id": ",".join(dict.fromkeys(labels))}
        scores = [result["score"] for result in results if is_score(result.get("score"))]
        record |= {"score": scores[0]} if scores else {}
        segmentation = None if frame is None else _segmentation(first["value"], region.kind, frame)
        self._regions.append(region)
        self.records.append({**record, "segmentation": segmentation})

    def places(self, values: Mapping[int, Changes | None]) -> list[Places]:
        changes = Changes()
        for index, value in values.items():
            region = self._regions[index]
            for position in region.results:
                inner = changes
                for key in (region.task, region.made_by, region.annotation, "result", position):
                    inner = inner.setdefault(key, Changes())
                inner["value"] = value
        return [json_places(changes)]

    def change(self, position: int, refined: Record) -> Changes:
        mask = decode_mask(refined["segmentation"])
        if self._regions[position].kind == RLE:
            return Changes(rle=encode_brush(mask))
        points = self.polygons.scaled_ring(mask, 100, DECIMALS)
        return Changes(points=points) if points else Changes()


def kind_of(result: dict[str, Any]) -> str:
    """POINTS or RLE for a region that is refined; for any other one the name under which it is counted."""
    value = result.get("value")
    if isinstance(value, dict) and not result.get("image_rotation"):
        if isinstance(value.get(RLE), list):
            return RLE
        if isinstance(value.get(POINTS), list) and value.get("closed", True):
            return POINTS
    turned = " on turned images" if result.get("image_rotation") else ""
    return f"regions of type {result.get('type')}{turned}"


def _segmentation(value: dict[str, Any], kind: str, frame: Frame) -> Any:
    """The RLE of a region; one that is no valid mask gives what :func:`decode_mask` refuses."""
    if kind == RLE:
        try:
            return encode_mask(decode_brush(value[RLE], frame))
        except BadMask:
            return None
    height, width = frame
    try:
        ring = [side for x, y in value[POINTS] for side in (float(x) * width / 100, float(y) * height / 100)]
    except (TypeError, ValueError, OverflowError):
        return None
    return polygon_rle(ring, frame)


def addresses(task: dict[str, Any], result: dict[str, Any]) -> Iterator[str]:
    """What may be the address of the photo of a region, the best first.

    The name of the tag that shows the image is often the key of its data. Otherwise the first address of an image is
    meant.
    """
    data: dict[str, Any] = task["data"]
    own = data.get(str(result.get("to_name")))
    for value in (own, data.get("image"), *data.values(), task.get("file_upload")):
        pages = value if isinstance(value, list) else [value]
        page = result.get("item_index", 0)
        address = pages[page] if type(page) is int and 0 <= page < len(pages) else None
        if isinstance(address, str) and not address.startswith("data:"):
            yield address


def names_in(address: str) -> Iterator[str]:
    """The paths in an address: of an upload, of a local file, of a bucket, of a web server.

    >>> list(names_in("/data/upload/1/0a1b2c3d-cat%20one.jpg"))
    ['/data/upload/1/0a1b2c3d-cat one.jpg', 'cat one.jpg']
    >>> list(names_in("/data/local-files/?d=scans/a.png"))
    ['scans/a.png']
    """
    parts = urlsplit(address)
    for path in (*parse_qs(parts.query).get("d", []), unquote(parts.path), address):
        if Path(path).suffix.lower() in SUFFIXES:
            yield path
            name = Path(path).name
            if UPLOADED.match(name):
                yield UPLOADED.sub("", name)
            return


def _recognises(candidate: Candidate) -> bool:
    """Whether the first element of a JSON list is a task; the rest of the list is not read."""
    first = candidate.first_of_list
    return isinstance(first, dict) and isinstance(first.get("data"), dict) and bool(set(MADE_BY) & first.keys())


LABEL_STUDIO = Format(
    name="label-studio",
    description="Label Studio's JSON",
    path_kind=PathKind.JSON_FILE,
    signature=TASKS,
    recognises=_recognises,
    precedence=1,  # results are a JSON list too
    read=lambda candidate, images: TaskFile(candidate.path, images),
    images_beside=lambda path: path.parent,
    polygons=True,
)
