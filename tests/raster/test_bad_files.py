"""A damaged or hostile raster is refused in one line, or its objects stay as they are; nothing large is read for it."""

from __future__ import annotations

import json
import re
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bpr.errors import BPRError
from bpr.formats.recognise import open_source
from bpr.io.image_header import stated_frame
from bpr.raster.opening import open_raster
from bpr.raster.tiff import TiffRaster

tifffile = pytest.importorskip("tifffile")


def one_line(read: Any) -> str:
    line = ""
    try:
        read()
    except BPRError as error:
        line = str(error)
    assert line.isprintable()
    assert len(line) < 1100
    return line


def everything(labels: Path, image: Path) -> None:
    source, images = open_source(labels, "raster", image, windows=True)
    for record in source.records:
        images().read(record["image_id"])  # type: ignore[attr-defined]
    if source.records:
        source.write(source.records, labels.with_name("out.tif"))


@pytest.mark.parametrize("seed", range(150))
def test_a_damaged_tiff_is_one_line(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.kron(rng.integers(0, 3, (5, 6)), np.ones((8, 8))).astype(np.uint16)
    tifffile.imwrite(tmp_path / "labels.tif", labels, tile=(16, 16), compression="zlib", extratags=[(33550, "d", 3, (1, 1, 0), True)])
    tifffile.imwrite(tmp_path / "image.tif", np.zeros((40, 48, 3), np.uint8), photometric="rgb")
    content = bytearray((tmp_path / "labels.tif").read_bytes())
    for place in rng.integers(0, min(len(content), 420), rng.integers(1, 6)):
        content[place] = rng.choice([0, 1, 255, int(rng.integers(256))])
    (tmp_path / "labels.tif").write_bytes(content)
    one_line(lambda: everything(tmp_path / "labels.tif", tmp_path / "image.tif"))


def tiff(tags: dict[int, tuple[int, int, int]], following: int = 0) -> bytes:
    """A TIFF of one directory of (type, count, value) without samples."""
    entries = b"".join(struct.pack("<HHII", tag, *value) for tag, value in sorted(tags.items()))
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + struct.pack("<I", following)


PLAIN = {256: (4, 1, 64), 257: (4, 1, 64), 258: (3, 1, 16), 259: (3, 1, 1), 262: (3, 1, 1), 277: (3, 1, 1),
         278: (4, 1, 64), 273: (4, 1, 8), 279: (4, 1, 8192), 34735: (3, 4, 8)}  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (tiff(PLAIN | {256: (4, 1, 2**31), 257: (4, 1, 2**31)}), "expected sides of"),
        (tiff(PLAIN | {256: (4, 1, 2**17), 257: (4, 1, 2**17)}), "cannot hold it"),
        (tiff(PLAIN | {322: (4, 1, 2**17), 323: (4, 1, 2**17), 324: (4, 1, 8), 325: (4, 1, 64)}), "expected tiles or strips"),
        (tiff(PLAIN | {34735: (3, 2**31, 8), 33550: (12, 2**30, 8)}), ""),
        (tiff(PLAIN, following=8), ""),
        (b"II*\0\xff\xff\xff\xff", "not an image"),
        (b"II*\0", "not an image"),
    ],
)
def test_a_tiff_bomb_takes_no_memory(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "labels.tif").write_bytes(content)
    tifffile.imwrite(tmp_path / "image.tif", np.zeros((64, 64), np.uint8))
    tracemalloc.start()
    line = one_line(lambda: everything(tmp_path / "labels.tif", tmp_path / "image.tif"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert message in line
    assert peak < 100 * 2**20


def test_a_size_without_a_value_is_no_size() -> None:
    assert stated_frame(tiff(PLAIN)) == (64, 64)
    assert stated_frame(tiff(PLAIN | {256: (4, 0, 64)})) is None


def test_a_tile_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    labels = np.arange(64 * 64, dtype=np.uint32).reshape(64, 64)
    tifffile.imwrite(tmp_path / "labels.tif", labels, tile=(32, 32), compression="zlib")
    raster = TiffRaster(tmp_path / "labels.tif")
    content = bytearray((tmp_path / "labels.tif").read_bytes())
    start = tifffile.TiffFile(tmp_path / "labels.tif").pages[0].dataoffsets[3]
    content[start : start + 40] = bytes(40)
    (tmp_path / "labels.tif").write_bytes(content)
    assert np.array_equal(raster.window((0, 0, 32, 32))[..., 0], labels[:32, :32])
    assert "cannot read the tile in row 1, column 1" in one_line(lambda: raster.window((40, 40, 50, 50)))


@pytest.mark.parametrize("entries", [b"\xff\xff", b""])
def test_a_broken_or_circular_second_page_does_not_matter(tmp_path: Path, entries: bytes) -> None:
    """Only the first page is read, but whether there are others is said."""
    labels = np.ones((2, 16, 16), np.uint16)
    tifffile.imwrite(tmp_path / "labels.tif", labels, photometric="minisblack", metadata=None)
    content = bytearray((tmp_path / "labels.tif").read_bytes())
    pages = tifffile.TiffFile(tmp_path / "labels.tif").pages
    second = pages[1].offset
    if entries:
        content[second : second + 2] = entries
    else:  # the second page is followed by the first
        (count,) = struct.unpack_from("<H", content, second)
        struct.pack_into("<I", content, second + 2 + 12 * count, pages[0].offset)
    (tmp_path / "labels.tif").write_bytes(content)
    raster = TiffRaster(tmp_path / "labels.tif")
    assert raster.pages == 2
    assert np.array_equal(raster.window((0, 0, 16, 16))[..., 0], labels[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4326"}}}, "expected polygons in the image's EPSG:32633"),
        ({"features": 7}, "expected a FeatureCollection with a list of features, got 7"),
        ({"crs": {"properties": 7}}, ""),
        ({"crs": {"properties": {"name": "EPSG:" + "9" * 5000}}}, "got EPSG:999999999; transform them"),
        ({"features": [{"geometry": {"type": "Polygon", "coordinates": [[[10**400, 9], [12, 9], [12, 12]]]}}]}, ""),
        ({"features": [{"geometry": {"type": "Polygon", "coordinates": [[[9, 9], [12, 9], [12, 12]]]}}]}, "ogr2ogr -t_srs EPSG:32633"),
        ({"features": [{"geometry": {"type": "Polygon", "coordinates": [[["a", {}], [1e400, 0]]]}}, None, {"geometry": 3}]}, ""),
        ({"features": []}, ""),
    ],
)
def test_bad_geojson_is_one_line(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    tags = [(33550, "d", 3, (0.5, 0.5, 0.0), True), (33922, "d", 6, (0, 0, 0, 5e5, 4e6, 0), True),
            (34735, "H", 8, (1, 1, 0, 1, 3072, 0, 1, 32633), True)]  # fmt: skip
    tifffile.imwrite(tmp_path / "image.tif", np.zeros((40, 48), np.uint8), extratags=tags)
    (tmp_path / "in.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [], **change}))
    line = one_line(lambda: list(open_source(tmp_path / "in.geojson", None, tmp_path / "image.tif", windows=True)[0].records))
    assert message in line


def test_a_folder_that_is_no_array_is_one_line(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    zarr.create_array(str(tmp_path / "b.zarr"), shape=(8, 8), chunks=(8, 8), dtype=np.uint8)
    stated = (tmp_path / "b.zarr" / "zarr.json").read_text()
    (tmp_path / "b.zarr" / "zarr.json").write_text(re.sub(r'("chunk_shape": \[\s*)8', r"\g<1>0", stated))
    assert "at least one pixel" in one_line(lambda: open_raster(tmp_path / "b.zarr"))
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / ".zarray").write_text('{"shape": [9')
    assert "not a Zarr array" in one_line(lambda: open_raster(tmp_path / "a.zarr"))
