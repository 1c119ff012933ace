"""Valid inputs for every reader, which the property tests damage and from which the fuzzer starts."""

from __future__ import annotations

import base64
import json
import struct
from io import BytesIO
from typing import Any

import cv2
import numpy as np
import pytest

from bpr.formats.brush_rle import encode_brush
from bpr.geometry.masks import BoxMask
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


def _labelme() -> list[bytes]:
    """A polygon, a mask, and a shape that has none."""
    png = base64.b64encode(cv2.imencode(".png", np.eye(4, 5, dtype=np.uint8))[1].tobytes()).decode()
    ring = [[1, 1], [9.5, 1], [9.5, 8], [1, 8]]
    shapes: list[dict[str, Any]] = [
        {"label": "w\u00e9", "points": ring, "shape_type": "polygon", "score": 0.5, "flags": {}},
        {"label": "b", "points": [[2, 3], [6, 6]], "shape_type": "mask", "mask": png},
        {"label": "c", "points": [[1, 2]], "shape_type": "point"},
    ]
    document = {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": "a.png", "imageData": None}
    return [_json({**document, "imageHeight": 10, "imageWidth": 12}), json.dumps(document, indent=2).encode()]


def _cvat() -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<image id="0" name="a.png" width="12" height="10">\n'
        '<polygon label="car" points="1.00,1.00;9.50,1.00;9.50,8.00" z_order="0"><attribute name="x">5 &gt; 3</attribute></polygon>\n'
        '<mask label="w\u00e9" rle="2, 3, 5, 2" left="1" top="2" width="4" height="3"/>\n'
        '<box label="car" xtl="1" ytl="1" xbr="3" ybr="3"/></image></annotations>'
    ).encode()


def _label_studio() -> bytes:
    size = {"original_width": 12, "original_height": 10, "image_rotation": 0, "to_name": "image"}
    points = [[10, 10], [80, 10], [80, 75.5]]
    results: list[dict[str, Any]] = [
        {**size, "id": "p", "type": "polygonlabels", "value": {"points": points, "closed": True, "polygonlabels": ["car"]}},
        {**size, "id": "b", "type": "brushlabels", "value": {"format": "rle", "rle": _brush(), "brushlabels": ["car"]}},
        {**size, "id": "r", "type": "rectanglelabels", "value": {"x": 1, "y": 1, "width": 5, "height": 5}},
    ]
    return _json([{"id": 1, "data": {"image": "/data/upload/1/0a1b2c3d-a.png"}, "annotations": [{"id": 3, "result": results}]}])


def _brush() -> list[int]:
    return encode_brush(BoxMask.from_frame(np.eye(10, 12, dtype=bool)))


def _sam() -> list[bytes]:
    mask = {"segmentation": RECORD["segmentation"], "area": 30, "bbox": [0, 0, 3, 9], "predicted_iou": 0.9, "point_coords": [[1, 1]]}
    named = {"image": {"image_id": 5, "file_name": "a.png", "width": 12, "height": 10}, "annotations": [{**mask, "id": 7}]}
    return [_json([mask]), _json(named)]


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
        "yolo_names": [b"path: .\nnames: [car, 'a: b']\n", b"names:\n  0: car\n  1: \"b\"\n", b"names:\n- car # a\n- b\n"],
        "labelme": _labelme(),
        "cvat": [_cvat()],
        "label_studio": [_label_studio()],
        "brush": [bytes(_brush()), bytes(encode_brush(BoxMask.from_frame(np.ones((10, 12), bool))))],
        "sam": _sam(),
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
