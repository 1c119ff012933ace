"""Label rasters and GeoJSON polygons on one raster image, which is read by windows around the instances."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bpr.errors import BadMask, BPRError, shown
from bpr.formats.format import Candidate, Format, PathKind
from bpr.formats.labels import ENDINGS, MOST_CLASSES
from bpr.formats.polygons import PolygonWriter
from bpr.formats.source import Source, TextSource
from bpr.geometry.boxes import Box
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, encode_mask
from bpr.io.files import atomic_open
from bpr.io.image_finder import ImageFinder
from bpr.io.kept_text import Changes, KeptText, Places, json_places
from bpr.io.mask_picture import TIFF
from bpr.io.record_file import Record
from bpr.io.shown_object import is_soft
from bpr.limits import LARGEST_SIDE
from bpr.raster.blocks import Raster
from bpr.raster.exclusive import Claims, claimed
from bpr.raster.georeference import Georeference
from bpr.raster.labels import Labels
from bpr.raster.opening import PLAIN_PICTURE, Picture, is_raster, open_raster
from bpr.raster.places import ImageWindows, box_of, is_too_large, window_id, windows_of
from bpr.raster.tiff import TiffRaster
from bpr.raster.zarr_store import is_zarr

COLOURS = {"minisblack", "miniswhite", "rgb", "ycbcr"}
"""How the samples of an image may be meant; a JPEG's ``ycbcr`` is decoded to RGB."""
VECTORS = {".geojson", ".json"}
"""Endings of the files that are written as GeoJSON."""


class _Records(Sequence[Record]):
    """Records that are made when they are asked for."""

    def __init__(self, count: int, make: Callable[[int], Record]) -> None:
        self._count, self._make = count, make

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._make(i) for i in range(self._count)[index]]
        return self._make(range(self._count)[index])


class LabelRaster(Source):
    """A TIFF or Zarr label map of any size: every number but 0 is an instance. The records are in order of place."""

    def __init__(self, path: Path, images: ImageFinder) -> None:
        self.path, image, raster = path, _image_of(path, images), open_raster(path)
        if isinstance(raster, Picture):
            raster = TiffRaster(path)
        if image.frame != raster.frame:
            wanted, got = (f"{frame[0]}x{frame[1]}" for frame in (image.frame, raster.frame))
            raise BPRError(f"{path}: expected labels of the image's {wanted} pixels (height x width), got {got}")
        self._labels = Labels.of(raster)
        self._order, self._windows = windows_of(self._labels.boxes, self._labels.areas, raster.frame)
        self.windows, self.records = ImageWindows(image), _Records(len(self._order), self._record)
        self.ranks = self._order
        self.notes = []
        if isinstance(raster, TiffRaster) and raster.pages > 1:
            self.notes.append(f"{path}: the labels are those of the first of {raster.pages} pages")
        if len(self._labels.numbers) <= MOST_CLASSES and raster.dtype.itemsize == 1:
            self.notes.append("format: raster, every number but 0 is one object; --format semantic if they are classes")

    def _record(self, position: int) -> Record:
        index, window = int(self._order[position]), _box(self._windows[position])
        number = int(self._labels.numbers[index])
        segmentation = _too_large(window) or encode_mask(self._labels.mask(index, window).trimmed())
        return {"image_id": window_id(window), "category_id": number, "id": number, "segmentation": segmentation}

    def folder(self, out: Path) -> Path | None:
        ending, tiff = out.suffix.lower(), isinstance(self._labels.raster, TiffRaster)
        if ending not in VECTORS and tiff != (ending in TIFF):
            wanted = ".tif" if tiff else ".zarr"
            raise BPRError(f"{out}: expected a {wanted} or .geojson to write these labels, got {ending or 'no ending'}")
        return None if tiff or ending in VECTORS else out

    def write(self, refined: Iterable[Record], out: Path) -> None:
        """Write a label raster, tile by tile, or its instances as GeoJSON."""
        raster = self._labels.raster
        claims = Claims(self._labels, map(self._claim, range(len(self._order)), refined), out.parent)
        if out.suffix.lower() not in VECTORS:
            raster.write_like(out, claims.tile)
            return
        with tempfile.TemporaryDirectory(dir=out.parent) as folder:
            path = Path(folder, f"labels{raster.path.suffix}")
            raster.write_like(path, claims.tile)
            _write_features(Labels.of(type(raster)(path)), self.polygons, out)

    def _claim(self, position: int, record: Record) -> tuple[int, Box, np.ndarray] | None:
        if "claim" not in record:
            return None
        mask, (left, top, _, _) = decode_mask(record["segmentation"]), box_of(record["image_id"])
        x0, y0, x1, y1 = mask.box
        return int(self._order[position]), (x0 + left, y0 + top, x1 + left, y1 + top), claimed(mask, record["claim"])


class Shape(NamedTuple):
    """The polygons of a feature: rings (n, 2) in pixels x, y, each outer one with its holes."""

    polygons: list[list[np.ndarray]]
    window: Box

    def mask(self) -> BoxMask:
        """In the frame of its window.

        Raises:
            BadMask: a ring that is no polygon.
        """
        left, top, right, bottom = self.window
        frame = bottom - top, right - left
        pixels = np.zeros(frame, bool)
        for outer, *holes in self.polygons:
            part = _filled(outer - (left, top), frame)
            for hole in holes:
                part &= ~_filled(hole - (left, top), frame)
            pixels |= part
        return BoxMask.from_frame(pixels)


class GeoJson(TextSource):
    """Polygons in the coordinates of a raster image, or in its pixels. All else in the file stays byte for byte."""

    def __init__(self, document: Any, path: Path, images: ImageFinder) -> None:
        image, self.path, self.texts = _image_of(path, images), path, [KeptText(path)]
        self._place = image.georeference
        features = document.get("features") if isinstance(document, dict) else document
        if not isinstance(document, dict) or not isinstance(features, list):
            raise BPRError(f"{path}: expected a FeatureCollection with a list of features, got {shown(features)}")
        _check_system(document, self._place, path)
        rings = [_rings_of(feature, self._place) for feature in features]
        self._positions = [i for i, found in enumerate(rings) if found]
        self._boxed_features = {i for i in self._positions if "bbox" in features[i]}
        self._boxed_geometries = {i for i in self._positions if "bbox" in features[i]["geometry"]}
        self._ellipses = {i for i in self._positions if "isEllipse" in features[i]["geometry"]}
        if others := [i for i, found in enumerate(rings) if not found]:
            self.left_out = {"features without polygons": others}
        height, width = image.frame
        polygons = [found for found in rings if found]
        outers = [np.concatenate([outer for outer, *_ in found]) for found in polygons]
        bounds = np.array([[*points.min(axis=0), *points.max(axis=0)] for points in outers], np.float64).reshape(-1, 4)
        inside = np.clip(bounds, 0, (width, height, width, height))
        boxes = np.concatenate([np.floor(inside[:, :2]), np.ceil(inside[:, 2:])], axis=1).astype(np.int64)
        sides = boxes[:, 2:] - boxes[:, :2]
        if len(boxes) and not (sides > 0).all(axis=1).any():
            system = f"EPSG:{self._place.epsg}" if self._place.epsg else "its coordinates"
            raise BPRError(f"{path}: expected polygons inside {image.path} in {system}, got none; transform them (ogr2ogr -t_srs {system})")
        order, windows = windows_of(boxes, sides.prod(axis=1), image.frame)
        own = np.empty_like(windows)
        own[order] = windows
        self._shapes = [Shape(found, _box(window)) for found, window in zip(polygons, own, strict=True)]
        self.windows, self.records = ImageWindows(image), _Records(len(self._shapes), self._record)
        self.ranks = np.arange(len(self._shapes))

    def _record(self, index: int) -> Record:
        shape = self._shapes[index]
        segmentation: Any = _too_large(shape.window)
        try:
            segmentation = segmentation or encode_mask(shape.mask())
        except BadMask:
            segmentation = [ring.ravel().tolist() for polygon in shape.polygons for ring in polygon]
        return {"image_id": window_id(shape.window), "category_id": 1, "segmentation": segmentation}

    def places(self, values: Mapping[int, Changes | None]) -> Iterable[Places]:
        return [json_places(Changes({self._positions[index]: value for index, value in values.items()}), "features")]

    def change(self, position: int, refined: Record) -> Changes:
        mask, window = decode_mask(refined["segmentation"]), self._shapes[position].window
        geometry, feature = _geometry(mask, window, self._place, self.polygons), self._positions[position]
        if feature in self._ellipses:  # QuPath's
            geometry["isEllipse"] = False
        changes = Changes(geometry=Changes(geometry))
        for boxed, place in ((self._boxed_features, changes), (self._boxed_geometries, changes["geometry"])):
            if feature in boxed:
                place["bbox"] = _bbox(geometry)
        return changes


def _image_of(path: Path, images: ImageFinder) -> Raster:
    """The image of a file of masks: the one that was given, or the one of its name in the folder."""
    stem = path.stem
    for ending in ENDINGS:
        stem = stem.removesuffix(ending)
    raster = open_raster(images.path(stem))
    if isinstance(raster, TiffRaster) and raster.kind not in COLOURS:
        raise BPRError(f"{raster.path}: expected an image of grey values or RGB, got {raster.kind}; convert it to RGB")
    return raster


def _box(window: np.ndarray) -> Box:
    x0, y0, x1, y1 = window.tolist()
    return x0, y0, x1, y1


def _too_large(window: Box) -> dict[str, Any] | None:
    """Stands for the mask of an instance whose window is too large to be read; None for all others."""
    return {"size": [window[3] - window[1], window[2] - window[0]], "counts": ""} if is_too_large(window) else None


def _filled(ring: np.ndarray, frame: tuple[int, int]) -> np.ndarray:
    return decode_mask([np.clip(ring, -LARGEST_SIDE, LARGEST_SIDE).ravel().tolist()], frame).to_frame()


def _rings_of(feature: Any, place: Georeference) -> list[list[np.ndarray]]:
    """The polygons of a feature in pixels; empty where it has none, or not in numbers."""
    geometry = feature.get("geometry") if isinstance(feature, dict) else None
    if not isinstance(geometry, dict):
        return []
    kind, found = geometry.get("type"), geometry.get("coordinates")
    polygons: Any = [found] if kind == "Polygon" else found if kind == "MultiPolygon" else []
    try:
        arrays = [[np.array([point[:2] for point in ring], np.float64) for ring in polygon] for polygon in polygons]
        good = [[place.pixels(ring) for ring in polygon] for polygon in arrays if polygon]
    except (TypeError, ValueError, IndexError, KeyError, OverflowError):
        return []
    fine = all(len(ring) > 2 and np.isfinite(ring).all() for polygon in good for ring in polygon)
    return good if fine else []


def _check_system(document: dict[str, Any], place: Georeference, path: Path) -> None:
    """Raise a BPRError where a file names another coordinate system than its image has."""
    crs = document.get("crs")
    properties = crs.get("properties") if isinstance(crs, dict) else None
    name = str(properties.get("name", "")) if isinstance(properties, dict) else ""
    code = name.rpartition(":")[2]
    if code.isdecimal() and "EPSG" in name.upper() and place.epsg and code != str(place.epsg):
        remedy = f"transform them (ogr2ogr -t_srs EPSG:{place.epsg})"
        raise BPRError(f"{path}: expected polygons in the image's EPSG:{place.epsg}, got EPSG:{code[:9]}; {remedy}")


def _geometry(mask: BoxMask, window: Box, place: Georeference, writer: PolygonWriter) -> dict[str, Any]:
    """GeoJSON's geometry of a mask in a window: outer rings run counter-clockwise, and holes clockwise."""
    polygons = []
    for rings in writer.rings(mask):
        corners = [place.coordinates(ring + window[:2]) for ring in rings]
        turned = [ring if (_doubled_area(ring) > 0) == (not i) else ring[::-1] for i, ring in enumerate(corners)]
        polygons.append([[*ring.tolist(), ring[0].tolist()] for ring in turned])
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def _bbox(geometry: dict[str, Any]) -> list[float]:
    """The smallest and the largest coordinates of a geometry; empty if it has none."""
    polygons = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
    corners = np.array([point for outer, *_ in polygons for point in outer]).reshape(-1, 2)
    return [*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist()] if len(corners) else []


def _doubled_area(ring: np.ndarray) -> float:
    x, y = (ring - ring[0]).T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


def _write_features(labels: Labels, writer: PolygonWriter, out: Path) -> None:
    place = labels.raster.georeference
    head: dict[str, Any] = {"type": "FeatureCollection"} | ({"crs": place.crs} if place.crs else {})
    with atomic_open(out) as file:
        file.write(f'{json.dumps(head)[:-1]}, "features": [')
        for index, number in enumerate(labels.numbers.tolist()):
            window = _box(labels.boxes[index])
            geometry = _geometry(labels.mask(index, window), window, place, writer)
            feature = {"type": "Feature", "properties": {"label": number}, "geometry": geometry}
            file.write(f"{',' if index else ''}\n{json.dumps(feature)}")
        file.write("\n]}\n")


def _is_label_raster(candidate: Candidate) -> bool:
    """Whether a path is a raster, and no small soft mask that only has a georeference."""
    if not is_raster(candidate.path):
        return False
    if is_zarr(candidate.path):
        return True
    raster = TiffRaster(candidate.path)
    if raster.bands != 1 or raster.dtype.kind not in "iu":
        return False
    height, width = raster.frame
    is_plain = raster.dtype.itemsize <= 2 and height * width <= PLAIN_PICTURE
    return not (is_plain and is_soft(raster.window((0, 0, width, height))[..., 0]))


RASTER = Format(
    name="raster",
    description="label rasters in TIFF and Zarr (GeoTIFF, BigTIFF, OME), one number per object, 0 is background",
    path_kind=PathKind.RASTER,
    signature="a label raster (GeoTIFF, BigTIFF, OME-TIFF, Zarr)",
    recognises=_is_label_raster,
    read=lambda candidate, images: LabelRaster(candidate.path, images()),
    precedence=3,  # the file is also a picture
    exclusive=True,
    polygons=True,
    by_window=True,
)
GEOJSON = Format(
    name="geojson",
    description="polygons on a raster image, in its coordinates or its pixels (GeoJSON)",
    path_kind=PathKind.JSON_FILE,
    signature="GeoJSON (a FeatureCollection)",
    recognises=lambda candidate: candidate.json_object.get("type") == "FeatureCollection",
    read=lambda candidate, images: GeoJson(candidate.document, candidate.path, images()),
    polygons=True,
    by_window=True,
)
