"""What the network sees of images that are no 8-bit photos: depth, stretch, bands, pages and opacity."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bpr.errors import BadImage
from bpr.io.images import decode_picture, decode_shown, read_shown, show_array
from bpr.io.pixels import PixelOptions

GREY = np.random.default_rng(0).integers(0, 256, (40, 48, 5)).astype(np.uint8)
GREY[0, :2] = [[0], [255]]
DEEP = {
    "16 bits": (GREY.astype(np.uint16) * 257, ()),
    "12 bits": (GREY.astype(np.uint16) * 16 + 7, ((0, 4096),)),
    "8 bits in 16": (GREY.astype(np.uint16), ((0, 256),)),
    "15 bits, signed": (GREY.astype(np.int16) * 128, ((0, 32768),)),
    "12 bits in 32": (GREY.astype(np.uint32) * 16, ((0, 4096),)),
    "floats up to 1": ((GREY / 255).astype(np.float32), ((0, 1),)),
    "floats of 16 bits": (GREY * 257.0, ((0, 65536),)),
}
"""The same image in other types, and the values that are black and white in it."""


def tiff(samples: np.ndarray, **options: Any) -> bytes:
    tifffile = pytest.importorskip("tifffile")
    file = io.BytesIO()
    tifffile.imwrite(file, samples, **options)
    return file.getvalue()


def seen(content: bytes, **options: Any) -> np.ndarray:
    return decode_shown(content, "a.tif", options=PixelOptions(**options)).pixels


@pytest.mark.parametrize("name", DEEP)
def test_every_depth_looks_like_its_photo_of_8_bits(name: str) -> None:
    """From a file, whatever reads it, and as an array."""
    samples, ranges = DEEP[name]
    grey = np.repeat(GREY[..., :1], 3, axis=2)
    shown = [
        decode_shown(tiff(samples[..., 0], photometric="minisblack"), "a.tif"),  # OpenCV
        decode_shown(tiff(samples, photometric="minisblack", planarconfig="contig"), "a.tif", options=PixelOptions(bands=1)),
        show_array(samples[..., 0], "image"),
    ]
    for one in shown:
        assert np.array_equal(one.pixels, grey)
        assert one.ranges == ranges
        assert ("black to white" in one.remark) == bool(ranges)
    rgb = decode_shown(tiff(samples[..., :3], photometric="rgb"), "a.tif")
    assert np.array_equal(rgb.pixels, GREY[..., :3])
    assert rgb.ranges == ranges * 3


def test_a_photo_is_as_before_and_nothing_is_said(tmp_path: Path) -> None:
    for ending in (".png", ".jpg", ".webp", ".bmp", ".tif"):
        path = tmp_path / f"a{ending}"
        cv2.imwrite(str(path), GREY[..., :3])
        shown = read_shown(path)
        assert np.array_equal(shown.pixels, cv2.imread(str(path), cv2.IMREAD_COLOR_RGB))
        assert shown[1:] == ((), "")
    assert show_array(GREY[..., :3], "image").pixels.base is GREY, "not even a copy"
    deep = cv2.imencode(".png", GREY[..., :3].astype(np.uint16) * 256 + 99)[1].tobytes()
    assert np.array_equal(decode_shown(deep, "a.png").pixels, GREY[..., 2::-1])


def test_where_there_is_no_depth_percentiles_decide() -> None:
    signed = np.arange(-1000, 1000, dtype=np.int16).reshape(40, 50)
    assert show_array(signed, "image").ranges == (pytest.approx((-998, 997), abs=0.01),)
    pale = np.arange(2000, dtype=np.uint16).reshape(40, 50) // 10 + 1000
    shown = show_array(pale, "image")
    assert shown.ranges == (pytest.approx((1000, 1199), abs=1),), "they cover less than an eighth of 12 bits"
    assert shown.remark == "image: uint16, 1000..1199 is black to white; --stretch chooses otherwise"
    floats = np.linspace(-1, 3, 2000, dtype=np.float32).reshape(40, 50)
    floats[0, :3] = np.nan, np.inf, -np.inf
    pixels = show_array(floats, "image").pixels[..., 0]
    assert pixels[0, :3].tolist() == [0, 255, 0]
    assert abs(int(pixels[20, 0]) - 128) <= 1


def test_the_stretch_can_be_chosen() -> None:
    samples = np.arange(1000, 3000, dtype=np.uint16).reshape(40, 50)
    ranges = {"minmax": (1000, 2999), "none": (), (10, 90): (1199.9, 2799.1), None: (0, 4096)}
    for stretch, expected in ranges.items():
        found = show_array(samples, "image", PixelOptions(stretch=stretch)).ranges
        assert found == ((pytest.approx(expected),) if expected else ())
    photo = np.arange(100, 140, dtype=np.uint8).reshape(5, 8)
    assert show_array(photo, "photo", PixelOptions(stretch="minmax")).pixels[[0, -1], [0, -1], 0].tolist() == [0, 255]


def test_a_hot_pixel_does_not_darken_the_image() -> None:
    samples = (np.random.default_rng(0).integers(0, 1000, (500, 500))).astype(np.uint16)
    samples[7, 7] = 65535
    assert show_array(samples, "image").ranges == ((0, 1024),)


def test_bands_have_their_own_ranges_and_colours_share_one() -> None:
    samples = np.stack([GREY[..., 0], GREY[..., 1] * 16.0, GREY[..., 2] * 200.0], axis=2).astype(np.uint16)
    bands = decode_shown(tiff(samples, photometric="minisblack", planarconfig="contig"), "a.tif")
    assert np.abs(bands.pixels.astype(int) - GREY[..., :3]).max() <= 56, "200 of 256 steps"
    assert bands.ranges == ((0, 256), (0, 4096), (0, 65536))
    assert bands.remark.startswith("a.tif: bands 1,2,3 of 3, uint16, 0..256 and 0..4096 and 0..65536 is black to white; --bands and")
    assert decode_shown(tiff(samples, photometric="rgb"), "a.tif").ranges == ()


def test_bands_are_chosen_by_number() -> None:
    content = tiff(GREY, photometric="minisblack", planarconfig="contig")
    assert np.array_equal(seen(content, bands=(5, 1, 3)), GREY[..., [4, 0, 2]])
    assert np.array_equal(seen(content, bands=4), np.repeat(GREY[..., 3:4], 3, axis=2))
    assert np.array_equal(seen(tiff(GREY[..., :4], photometric="rgb", extrasamples=["unspecified"]), bands=(4, 1, 2)), GREY[..., [3, 0, 1]])
    with pytest.raises(BadImage, match=r"a\.tif: expected 1 to 4 bands, got 5; choose three with --bands 3,2,1"):
        seen(content)
    with pytest.raises(BadImage, match=r"a\.tif: expected --bands of 1\.\.5, got 6"):
        seen(content, bands=6)
    for wrong in ({"bands": (1, 2)}, {"bands": 0}, {"stretch": (5, 5)}, {"stretch": "most"}, {"page": 0}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))}: expected"):
            PixelOptions(**wrong)


@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha", "unspecified"])
@pytest.mark.parametrize("deep", [np.uint8, np.uint16])
def test_opacity_does_not_change_colours(kind: str, deep: type) -> None:
    samples = GREY[..., :4].astype(deep) * (257 if deep is np.uint16 else 1)
    for more in ({}, {"planarconfig": "separate"}, {"compression": "zlib"}):
        ordered = np.moveaxis(samples, 2, 0) if more.get("planarconfig") else samples
        assert np.array_equal(seen(tiff(np.ascontiguousarray(ordered), photometric="rgb", extrasamples=[kind], **more)), GREY[..., :3])


def test_opacity_as_pillow_and_gdal_write_it(tmp_path: Path) -> None:
    pictures = pytest.importorskip("PIL.Image")
    for ending in (".tif", ".png", ".webp"):
        exact = {"lossless": True, "exact": True} if ending == ".webp" else {}
        pictures.fromarray(GREY[..., :4], "RGBA").save(tmp_path / f"a{ending}", **exact)
        assert np.array_equal(read_shown(tmp_path / f"a{ending}").pixels, GREY[..., :3])
    pictures.fromarray(GREY[..., :2], "LA").save(tmp_path / "grey.tif")
    assert np.array_equal(read_shown(tmp_path / "grey.tif").pixels, np.repeat(GREY[..., :1], 3, axis=2))
    rasterio = pytest.importorskip("rasterio")
    profile = {"driver": "GTiff", "width": 48, "height": 40, "count": 4, "dtype": "uint8", "photometric": "RGB"}
    for alpha in ("YES", "PREMULTIPLIED", "NO"):
        with rasterio.open(tmp_path / "g.tif", "w", alpha=alpha, **profile) as file:
            file.write(np.moveaxis(GREY[..., :4], 2, 0))
        assert np.array_equal(read_shown(tmp_path / "g.tif").pixels, GREY[..., :3])


def test_a_page_is_chosen_and_said() -> None:
    stack = np.moveaxis(GREY, 2, 0)
    for options in ({}, {"bigtiff": True}, {"byteorder": ">"}):
        content = tiff(stack, photometric="minisblack", **options)
        assert np.array_equal(seen(content, page=4), np.repeat(GREY[..., 3:4], 3, axis=2))
        assert decode_shown(content, "a.tif").remark == "a.tif: page 1 of 5; --page chooses otherwise"
        with pytest.raises(BadImage, match=r"a\.tif: expected --page of 1\.\.5, got 6"):
            seen(content, page=6)
        with pytest.raises(BadImage, match=r"expected --bands of 1\.\.1, got 2; its 5 pages are chosen with --page"):
            seen(tiff(stack.astype(np.uint16), photometric="minisblack"), bands=2)


def test_smaller_copies_are_no_pages() -> None:
    tifffile = pytest.importorskip("tifffile")
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(GREY[..., :3], photometric="rgb", subifds=0)
        writer.write(GREY[::2, ::2, :3], photometric="rgb", subfiletype=1)
    assert decode_shown(file.getvalue(), "a.tif").remark == ""


def test_what_a_file_states_counts() -> None:
    dark = GREY[..., 0].astype(np.uint16)  # 8 bits, by its content
    stated = tiff(dark * 4, description='<OME><Pixels SignificantBits="12"/></OME>', metadata=None, photometric="minisblack")
    assert decode_shown(stated, "a.tif").ranges == ((0, 4096),)
    assert decode_shown(tiff(dark * 4, photometric="minisblack"), "a.tif").ranges == ((0, 1024),)
    assert np.array_equal(seen(tiff(dark * 257, photometric="miniswhite"))[..., 0], 255 - GREY[..., 0])
    holes = np.where(dark == 9, -9999, dark.astype(np.float32))
    content = tiff(holes, photometric="minisblack", extratags=[(42113, "s", 0, "-9999", True)])
    assert decode_shown(content, "a.tif").ranges == ((0, 256),)
    assert (seen(content)[..., 0] == np.where(dark == 9, 0, dark)).all()


@pytest.mark.parametrize("mode", ["I", "F", "I;16"])
def test_a_picture_in_memory_is_seen_like_its_array(mode: str) -> None:
    pictures = pytest.importorskip("PIL.Image")
    samples = GREY[..., 0].astype({"I": np.int32, "F": np.float32, "I;16": np.uint16}[mode]) * 16
    picture = pictures.fromarray(samples)
    assert picture.mode == mode
    assert np.array_equal(decode_picture(picture, "photo").pixels, np.repeat(GREY[..., :1], 3, axis=2))


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    content = tiff(GREY, photometric="minisblack", planarconfig="contig")
    monkeypatch.setitem(__import__("sys").modules, "tifffile", None)
    with pytest.raises(BadImage, match=r"expected a TIFF that OpenCV reads, got 5 bands of 8 bits; they need the \[raster\] extra: pip"):
        seen(content, bands=1)
