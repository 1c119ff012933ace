"""Valid inputs for every reader, which the property tests damage and from which the fuzzer starts."""

from __future__ import annotations

import json
import struct
from io import BytesIO
from typing import Any

import cv2
import numpy as np
import pytest

from bpr.geometry.options import to_dict
from bpr.io.image_header import encode_tiff
from tests.fuzz.readers import PLACEMENT, SPEC, scratch

FOUR = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
RECORD = {"image_id": "a", "category_id": 1, "score": 0.5, "bbox": [0, 0, 3, 3], "segmentation": {"size": [10, 12], "counts": "51900`2"}}
ENTRY = {"id": 1, "file_name": "a.png", "height": 10, "width": 12}
POLYGONS = [[1, 1, 9.5, 1, 9.5, 8, 1, 8], [2, 2, 4, 2, 4, 4]]
SEGMENTS = [{"id": 65793, "category_id": 7, "area": 10, "bbox": [0, 0, 10, 10], "iscrowd": 0}]


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _document() -> dict[str, Any]:
    truth = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": POLYGONS, "iscrowd": 0}
    crowd = {**truth, "id": 2, "iscrowd": 1, "segmentation": {"size": [10, 12], "counts": [20, 5, 95]}}
    return {"images": [ENTRY], "annotations": [truth, crowd], "categories": [{"id": 1, "name": "car"}]}


def _pictures() -> list[bytes]:
    pixels = np.arange(10 * 12 * 3, dtype=np.uint8).reshape(10, 12, 3)
    kinds = {".tif": (np.uint8, np.uint16, np.int16, np.int32, np.float32), ".png": (np.uint8, np.uint16)}
    encoded = [
        cv2.imencode(ending, pixels.astype(kind))[1].tobytes()
        for ending in (".png", ".jpg", ".webp", ".bmp", ".tif")
        for kind in kinds.get(ending, (np.uint8,))
    ]
    return [*encoded, *_tiffs()]


def _tiffs() -> list[bytes]:
    """Layouts that OpenCV does not read, and two pages."""
    tifffile = pytest.importorskip("tifffile")
    bands = np.arange(10 * 12 * 5).reshape(10, 12, 5)
    files = [BytesIO() for _ in range(4)]
    tifffile.imwrite(files[0], bands.astype(np.uint16), photometric="minisblack", planarconfig="contig", compression="zlib")
    tifffile.imwrite(files[1], bands.astype(np.float16), photometric="minisblack", planarconfig="contig", tile=(16, 16))
    tifffile.imwrite(files[2], np.moveaxis(bands, 2, 0).astype(np.uint8), photometric="minisblack", bigtiff=True)
    tifffile.imwrite(files[3], bands[..., :4].astype(np.uint8), photometric="rgb", extrasamples=["unassalpha"])
    return [*(file.getvalue() for file in files), encode_tiff(bands[..., 0])]


def _rasters() -> list[bytes]:
    """Labels in tiles, in strips, and in a BigTIFF."""
    tifffile = pytest.importorskip("tifffile")
    labels, files = np.kron(np.arange(4).reshape(2, 2), np.ones((5, 6))).astype(np.uint16), [BytesIO() for _ in range(3)]
    tifffile.imwrite(files[0], labels, tile=(16, 16), compression="zlib", extratags=[(33550, "d", 3, (1, 1, 0), True)])
    tifffile.imwrite(files[1], labels.astype(np.int32), rowsperstrip=4)
    tifffile.imwrite(files[2], labels.astype(np.uint8), bigtiff=True)
    return [file.getvalue() for file in files]


def _zarr() -> list[bytes]:
    """The metadata of an array in the scratch folder, whose chunk is written there."""
    zarr, folder = pytest.importorskip("zarr"), scratch() / "labels.zarr"
    zarr.create_array(str(folder), data=np.eye(10, 12, dtype=np.uint16), chunks=(10, 12), overwrite=True)
    return [(folder / "zarr.json").read_bytes()]


def _geojson() -> list[bytes]:
    ring = [[5e5 + x / 2, 4e6 - y / 2] for x, y in ((1, 1), (1, 8), (9.5, 8), (9.5, 1), (1, 1))]
    system = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}
    features = [
        {"type": "Feature", "properties": {"crop": "w\u00e9"}, "geometry": {"type": "Polygon", "coordinates": [ring]}},
        {"type": "Feature", "properties": None, "geometry": {"type": "MultiPolygon", "coordinates": [[ring], [ring]]}},
    ]
    return [_json({"type": "FeatureCollection", "crs": system, "features": features})]


def _png(kind: int, depth: int, colours: bytes, rows: bytes) -> bytes:
    """The bytes from which :func:`tests.fuzz.readers.png` makes a PNG of 4x2 pixels."""
    return struct.pack(">IIBBBBB", 4, 2, depth, kind, 0, 0, 0) + bytes([len(colours) // 3]) + colours + rows


def seeds() -> dict[str, list[bytes]]:
    """At least one valid input by the name of the reader."""
    metadata = {"version": 1, "scheme": to_dict(SPEC, PLACEMENT), "provenance": {"seed": 0}}
    seal = {"indices": [1, 2], "patches": 1, "left_out": 0, "kept": [["bad mask", [2], ""]]}
    store = scratch() / "store"
    return {
        "rle": [struct.pack(">HH", 10, 12) + b"51900`2", struct.pack(">HH", 3, 3) + b"013000", struct.pack(">HH", 2, 2) + b"\0\0\4"],
        "polygons": [_json(POLYGONS), _json([]), _json({"size": [64, 48], "counts": [3072]})],
        "coco_results": [_json([RECORD, {**RECORD, "segmentation": POLYGONS, "note": {"kept": [1, None]}}]), b"[]"],
        "record_file": [b"\x07" + _json([RECORD, {**RECORD, "note": ["\u00e9", 1e5]}]), b"\0 [ ]"],
        "annotations": [_json(_document()), _json({"images": [{"id": "b", "coco_url": "http://host/val/a.png"}]})],
        "cityscapes": [b"a.png 26 0.5\n", b"a.png 26 .5\na.png 24 1e-3\n", b""],
        "yolo": [b"0 0.1 0.1 0.9 0.1 0.9 0.9\n", b"3 0.1 0.1 0.9 0.1 0.9 0.9 0.75\n", b""],
        "label_png": [_png(0, 8, b"", b"\0\1\2\3\4" * 2), _png(3, 2, FOUR.tobytes(), b"\0\x1b\0\xe4"), _pictures()[0]],
        "image": _pictures(),
        "raster": _rasters(),
        "zarr": _zarr(),
        "geojson": _geojson(),
        "panoptic": [_json({"annotations": [{"image_id": 1, "file_name": "a.png", "segments_info": SEGMENTS}], "images": [ENTRY]})],
        "onnx_metadata": [_json(metadata)],
        "journal": [b"3 1 0\n0 0 1\n", b"12 4 0\n5", b'1 {"area": 5}\n= ' + _json(seal)],
        "manifest": [(store / "manifest.json").read_bytes()],
        "array": [(store / "origins.npy").read_bytes()],
    }
