"""One object in a picture, whatever program saved it; label maps stay label maps."""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import bpr
from bpr.errors import BPRError
from bpr.formats.recognise import open_source
from bpr.io.mask_picture import decode_mask_picture, read_mask_picture, write_mask_picture
from bpr.io.png import Palette, encode_png, read_labels, write_png
from bpr.io.shown_object import is_soft

images = pytest.importorskip("PIL.Image", reason="Pillow writes the kinds of PNG that OpenCV does not")

H, W = 120, 160
LARGE = cv2.ellipse(np.zeros((4 * H, 4 * W), np.uint8), (260, 230), (130, 90), 20, 0, 360, 255, -1)
SOFT = cv2.resize(LARGE, (W, H), interpolation=cv2.INTER_AREA)
MASK = SOFT > 127
HARD = MASK * np.uint8(255)
OPAQUE, WHITE = np.full((H, W), 255, np.uint8), (255, 255, 255)
KERNEL = np.ones((7, 7), np.uint8)
TRIMAP = np.where(cv2.erode(HARD, KERNEL) > 0, 255, np.where(cv2.dilate(HARD, KERNEL) > 0, 128, 0)).astype(np.uint8)
LABELS = np.zeros((H, W), np.uint8)
LABELS[MASK] = 1
LABELS[5:25, 110:150] = 2
PHOTO = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (H, W, 3), np.uint8), (0, 0), 1)


def file(pixels: Any, kind: str = "PNG", **options: Any) -> bytes:
    """What Pillow saves of an array or an image."""
    buffer = BytesIO()
    picture = pixels if isinstance(pixels, images.Image) else images.fromarray(pixels)
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def layer(colour: tuple[int, int, int], opacity: np.ndarray) -> np.ndarray:
    return np.dstack([np.full((H, W, 3), colour, np.uint8), opacity.astype(np.uint8)])


def painted(colour: tuple[int, int, int], share: np.ndarray) -> np.ndarray:
    return np.rint(share[..., None] / 255 * np.array(colour)).astype(np.uint8)


def paletted(numbers: np.ndarray, colours: list[int]) -> Any:
    picture = images.fromarray(numbers.astype(np.uint8))
    picture.putpalette(colours)
    return picture


def grey(pixels: np.ndarray) -> np.ndarray:
    return np.dstack([pixels] * 3)


EXACT = {
    "0 and 255": file(HARD),
    "0 and 1": file(MASK.astype(np.uint8)),
    "one bit": file(images.fromarray(HARD).convert("1")),
    "soft edge": file(SOFT),
    "16 bits, soft": encode_png(SOFT.astype(np.uint16) * 257),
    "16 bits that hold 8, soft": encode_png(SOFT.astype(np.uint16)),
    "white paint on a transparent layer, grey": file(np.dstack([OPAQUE, SOFT])),
    "opaque grey": file(np.dstack([SOFT, OPAQUE])),
    "red paint on a transparent layer": file(layer((255, 0, 0), SOFT)),
    "black paint on a transparent layer": file(layer((0, 0, 0), SOFT)),
    "white paint on transparent black": file(np.dstack([grey(SOFT), SOFT])),
    "opaque black and white": file(np.dstack([grey(HARD), OPAQUE])),
    "opaque, soft": file(np.dstack([grey(SOFT), OPAQUE])),
    "half transparent black and white": file(np.dstack([grey(HARD), OPAQUE // 2])),
    "black and white with a transparent corner": file(np.dstack([grey(HARD), np.where(np.arange(W) < 8, 0, OPAQUE)])),
    "a photo cut out": file(np.dstack([PHOTO, SOFT])),
    "RGB black and white": file(grey(HARD)),
    "RGB with a soft edge": file(grey(SOFT)),
    "red on black": file(painted((200, 0, 9), HARD)),
    "palette": file(paletted(MASK, [0, 0, 0, 128, 0, 0])),
    "palette in which white is first": file(paletted(~MASK, [255, 255, 255, 0, 0, 0])),
    "palette in which the transparent number is not the first": file(paletted(~MASK, [255, 0, 0, 0, 0, 0]), transparency=1),
    "palette of soft greys in another order": file(images.fromarray(grey(SOFT)).quantize(32)),
    "TIFF": file(SOFT, "TIFF"),
    "TIFF of probabilities": file(SOFT.astype(np.float32) / 255, "TIFF"),
    "TIFF of white paint on a transparent layer, grey": file(np.dstack([OPAQUE, SOFT]), "TIFF"),
    "TIFF of opaque grey": file(np.dstack([SOFT, OPAQUE]), "TIFF"),
    "BMP": file(HARD, "BMP"),
    "lossless WebP with transparency": file(layer((255, 0, 0), SOFT), "WEBP", lossless=True),
}  # fmt: skip
NEAR = {
    "trimap": (file(TRIMAP), TRIMAP >= 128),
    "paint of 40 % opacity": (file(layer((255, 0, 0), SOFT * 0.4)), MASK),
    "soft red on black": (file(painted((200, 0, 9), SOFT)), MASK),
    "blurred": (file(cv2.GaussianBlur(SOFT, (0, 0), 4)), MASK),
    "brought up to four times the size": (file(cv2.resize(cv2.resize(SOFT, (40, 30), interpolation=cv2.INTER_AREA), (W, H))), MASK),
    "soft red in a palette": (file(images.fromarray(painted((200, 0, 9), SOFT)).quantize(16)), MASK),
    "WebP": (file(grey(SOFT), "WEBP"), MASK),
}


def written(folder: Path, content: bytes) -> Path:
    path = folder / "mask.png"  # the content and not the name decides
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", EXACT)
def test_the_object_is_read_exactly(tmp_path: Path, kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mask = bpr.read_mask(written(tmp_path, EXACT[kind]))
    assert mask.dtype == bool
    assert np.array_equal(mask, MASK)


@pytest.mark.parametrize("kind", NEAR)
def test_the_object_is_read_nearly(tmp_path: Path, kind: str) -> None:
    content, expected = NEAR[kind]
    mask = bpr.read_mask(written(tmp_path, content))
    assert (mask & expected).sum() / (mask | expected).sum() > 0.95


@pytest.mark.parametrize("quality", [10, 30, 50, 70, 75, 80, 90, 95, 98, 100])
@pytest.mark.parametrize("picture", [HARD, grey(HARD), painted((200, 0, 9), HARD)], ids=["grey", "RGB", "red"])
def test_the_noise_of_jpeg_is_no_class(tmp_path: Path, picture: np.ndarray, quality: int) -> None:
    content = file(picture, "JPEG", quality=quality)
    mask = bpr.read_mask(written(tmp_path, content))
    assert (mask & MASK).sum() / (mask | MASK).sum() > (0.97 if quality < 50 else 0.99)
    again = bpr.read_mask(written(tmp_path, file(images.open(BytesIO(content)))))  # a JPEG that was saved as PNG
    assert np.count_nonzero(again != mask) <= 0.01 * mask.sum()


def test_a_jpeg_is_turned_as_its_photo_is(tmp_path: Path) -> None:
    exif = images.Exif()
    exif[0x0112] = 6
    mask = bpr.read_mask(written(tmp_path, file(HARD, "JPEG", quality=100, exif=exif)))
    assert np.array_equal(mask, np.rot90(MASK, -1))


TWO = painted((200, 0, 9), HARD)
TWO[5:25, 110:150] = (0, 0, 255)
SHADES = painted((255, 0, 0), HARD)
SHADES[5:25, 110:150] = (128, 0, 0)
REFUSED = {
    "a label map": (file(LABELS), r"expected one object, got a label map of the numbers \[0, 1, 2\]; give one picture"),
    "instance ids": (encode_png(LABELS.astype(np.uint16) * 13001), r"got a label map of the numbers \[0, 13001, 26002\]"),
    "two colours on black": (
        file(TWO),
        r"got 3 colours, black \(0, 0, 0\), red \(200, 0, 9\) and blue \(0, 0, 255\); which is the object\? save each object",
    ),
    "two paints": (
        file(np.dstack([TWO, TWO.max(axis=2)])),
        r"got 2 colours, red \(200, 0, 9\) and blue \(0, 0, 255\) on a transparent ground",
    ),
    "red on white": (
        file(np.where(MASK[..., None], (255, 0, 0), WHITE).astype(np.uint8)),
        r"got 2 colours, white \(255, 255, 255\) and red \(255, 0, 0\)",
    ),
    "two shades of red": (file(SHADES), r"got 3 colours, black \(0, 0, 0\), red \(255, 0, 0\) and red \(128, 0, 0\)"),
    "a photo": (file(PHOTO), "expected a mask, got a picture of many colours; is it the photo"),
    "a grey photo": (file(PHOTO[..., 0]), "got a picture of many greys; is it the photo"),
    "a gradient": (file(np.linspace(0, 255, H * W).reshape(H, W).astype(np.uint8)), "got a picture of many greys"),
    "16 bits of depth": (encode_png(np.linspace(0, 65535, H * W).reshape(H, W).astype(np.uint16)), "got a picture of many greys"),
    "a photo as JPEG": (file(cv2.GaussianBlur(PHOTO, (0, 0), 2) * 3, "JPEG"), "is it the photo"),
    "no picture": (b"hello", "not an image that OpenCV can decode"),
    "large floats": (file(SOFT.astype(np.float32), "TIFF"), r"expected a mask of whole numbers, or floats in \[0, 1\], got float32"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_may_be_several_objects_is_asked_about(tmp_path: Path, kind: str) -> None:
    content, message = REFUSED[kind]
    with pytest.raises(bpr.BadMask, match=f"mask.png: .*{message}"):
        bpr.read_mask(written(tmp_path, content))


def test_a_missing_mask_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(bpr.BadMask, match=r"none.png: cannot read the mask \(No such file or directory\)"):
        bpr.read_mask(tmp_path / "none.png")


def test_the_bytes_of_a_mask_are_read_as_its_file(tmp_path: Path) -> None:
    content = file(HARD)
    assert np.array_equal(bpr.read_mask(content), bpr.read_mask(written(tmp_path, content)))
    with pytest.raises(bpr.BadMask, match=r"^mask: expected a whole PNG, got one that is cut or damaged$"):
        bpr.read_mask(content[:60])


@pytest.mark.parametrize("value", [None, 7, bytearray(b"1")])
def test_what_is_neither_a_file_nor_its_bytes(value: Any) -> None:
    with pytest.raises(bpr.BadMask, match=f"^mask: expected a file or its bytes, got {type(value).__name__}$"):
        bpr.read_mask(value)


@pytest.mark.parametrize(
    ("content", "remark"),
    [
        (file(OPAQUE), "covers the whole image"),
        (file(grey(OPAQUE)), "covers the whole image"),
        (file(layer((255, 0, 0), OPAQUE)), "covers the whole image"),
        (file(OPAQUE * 0), "is empty"),
        (file(layer((0, 0, 0), OPAQUE * 0)), "is empty"),
    ],
)
def test_an_odd_extent_is_said(tmp_path: Path, content: bytes, remark: str) -> None:
    with pytest.warns(UserWarning, match=f"mask.png: the mask {remark}"):
        mask = bpr.read_mask(written(tmp_path, content))
    assert mask.all() == (remark != "is empty")


def voronoi(cells: int, seed: int, numbers: np.ndarray) -> np.ndarray:
    """A label map of touching cells."""
    points = np.random.default_rng(seed).integers(0, (W, H), (cells, 2))
    y, x = np.mgrid[:H, :W]
    nearest = np.argmin([(x - px) ** 2 + (y - py) ** 2 for px, py in points], axis=0)
    return numbers[nearest].astype(np.uint8)


def with_void(labels: np.ndarray) -> np.ndarray:
    """With boundaries of 255, as in Pascal VOC."""
    edges = cv2.morphologyEx(labels, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    return np.where(edges, 255, labels).astype(np.uint8)


POLE = np.zeros((H, W), np.uint8)
POLE[60:], POLE[20:60, 80], POLE[100:] = 3, 17, 255
MAPS = {
    "classes": LABELS,
    "classes and void": np.where(np.arange(W) < 9, 255, LABELS).astype(np.uint8),
    "Pascal VOC": with_void(LABELS * 7),
    "cells of any numbers": voronoi(40, 1, np.random.default_rng(2).permutation(256)[:40]),
    "cells on void": with_void(voronoi(30, 3, np.arange(1, 31) * 8)),
    "a thin pole": POLE,
    "Oxford pets": np.select([TRIMAP == 0, TRIMAP == 255], [2, 1], 3).astype(np.uint8),
    "three classes spread over the greys": np.where(LABELS == 2, 128, np.where(LABELS == 1, 255, 0)).astype(np.uint8),
}


@pytest.mark.parametrize("kind", MAPS)
@pytest.mark.parametrize("colours", [None, Palette(bytes(range(256)) * 3)], ids=["grey", "palette"])
def test_a_label_map_keeps_its_numbers(kind: str, colours: Palette | None) -> None:
    numbers, palette = decode_mask_picture(encode_png(MAPS[kind], colours), "map.png")
    assert np.array_equal(numbers, MAPS[kind])
    assert palette == colours


def test_a_label_map_saved_as_rgb_greys_keeps_its_numbers() -> None:
    assert np.array_equal(decode_mask_picture(file(grey(LABELS)), "map.png")[0], LABELS)


@pytest.mark.parametrize("scale", [1, 257])
def test_soft_is_told_by_place_and_not_by_count(scale: int) -> None:
    assert is_soft(SOFT.astype(np.uint16) * scale)
    assert is_soft(SOFT.astype(np.int64))
    assert not is_soft(np.random.default_rng(0).permutation(SOFT.ravel()).reshape(1, -1) * 0)
    assert not is_soft(np.where(SOFT > 127, 99, 0).astype(np.uint8))
    assert not is_soft((SOFT // 3).astype(np.uint8)), "never above half"


# The same rule for files, arrays and paths.


def test_masks_may_be_given_as_paths(tmp_path: Path) -> None:
    refiner = bpr.load("identity")
    path = written(tmp_path, file(layer((255, 0, 0), SOFT)))
    for given in (path, str(path)):
        assert np.array_equal(refiner(PHOTO, given), MASK)
    assert np.array_equal(refiner(PHOTO, [path, str(path)]), [MASK, MASK])
    small = tmp_path / "small.png"
    small.write_bytes(file(HARD[:40]))
    with pytest.raises(ValueError, match=r"masks: expected pictures of one size, got .*mask.png: \(120, 160\).*\(40, 160\)"):
        refiner(PHOTO, [path, small])
    with pytest.raises(ValueError, match=r"masks: expected \(N, 120, 160\) as the image, got \(40, 160\)"):
        refiner(PHOTO, small)


@pytest.mark.parametrize("soft", [SOFT, SOFT[None], SOFT.astype(np.uint16) * 257, SOFT.astype(np.int32)])
def test_a_soft_array_is_thresholded(soft: np.ndarray) -> None:
    refined = bpr.load("identity")(PHOTO, soft)
    assert refined.dtype == soft.dtype
    assert np.array_equal(refined, np.where(soft > soft.max() / 2, soft.max(), 0))


def test_a_stack_of_a_label_map_is_refused() -> None:
    with pytest.raises(ValueError, match=r"got several in 1..2; pass a label map as \(H, W\), with a background of 0"):
        bpr.load("identity")(PHOTO, LABELS[None])


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint32, np.int64, np.uint64])
def test_tiffs_of_labels_keep_their_type(tmp_path: Path, dtype: type) -> None:
    labels = LABELS.astype(dtype) * (13001 if dtype is np.int16 else 70001)
    path = tmp_path / "labels.tif"
    write_mask_picture(path, labels)
    again, _ = read_mask_picture(path)
    assert again.dtype == dtype
    assert np.array_equal(again, labels)
    tifffile = pytest.importorskip("tifffile")
    assert np.array_equal(tifffile.imread(path), labels)


def test_labels_that_cannot_be_kept_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_mask_picture(tmp_path / "labels.tif", LABELS.astype(np.int32) * 70001)
    assert run(tmp_path, tmp_path / "labels.tif", "--format", "masks", out="out.png") == 1
    assert "out.png: expected a .tif for numbers up to 140002, got a PNG, which holds 65535" in capsys.readouterr().err
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "stack.tif", np.stack([LABELS, LABELS]), photometric="minisblack")
    with pytest.raises(BPRError, match=r"stack\.tif: expected a mask or label map of one page, got 2; save each"):
        read_mask_picture(tmp_path / "stack.tif")


def test_a_mask_that_opencv_cannot_decode_is_read_all_the_same(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    mask = LABELS == 1
    tifffile.imwrite(tmp_path / "half.tif", mask.astype(np.float16))
    assert np.array_equal(read_mask_picture(tmp_path / "half.tif")[0] > 0, mask)
    bands = np.stack([mask.astype(np.uint8)] * 5)
    tifffile.imwrite(tmp_path / "bands.tif", bands, photometric="minisblack", planarconfig="separate")
    with pytest.raises(BPRError, match=r"bands\.tif: expected a mask of grey values or colours, got 5 bands; save the one"):
        read_mask_picture(tmp_path / "bands.tif")


def run(folder: Path, masks: Path, *options: str, out: str = "out") -> int:
    from bpr.cli.main import main

    images_of = folder / "images"
    for name in ("mask.png", "b.png"):
        write_png(images_of / name, PHOTO)
    arguments = ["--img-dir", str(images_of), "--model", "identity", "--out", str(folder / out)]
    return main(["refine", str(masks), *arguments, *options])


FILES = ["soft edge", "16 bits, soft", "red paint on a transparent layer", "palette of soft greys in another order", "RGB with a soft edge"]


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("options", [[], ["--format", "masks"]], ids=["recognised", "said"])
def test_files_are_read_by_the_same_rule(tmp_path: Path, kind: str, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "masks").mkdir()
    written(tmp_path / "masks", EXACT[kind])
    assert run(tmp_path, tmp_path / "masks", *options) == 0
    assert "1 of 1 records refined" in capsys.readouterr().out
    numbers, _ = read_labels(tmp_path / "out" / "mask.png")
    assert np.array_equal(numbers, HARD if numbers.dtype == np.uint8 else HARD.astype(np.uint16) * 257)


def test_a_folder_of_jpeg_masks_comes_back_as_png(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "mask.jpg").write_bytes(file(HARD, "JPEG", quality=95))
    assert run(tmp_path, tmp_path / "masks") == 0
    assert np.array_equal(read_labels(tmp_path / "out" / "mask.png")[0], HARD)


def test_a_mask_of_the_whole_image_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "masks").mkdir()
    written(tmp_path / "masks", file(OPAQUE))
    (tmp_path / "masks" / "b.png").write_bytes(file(HARD))
    assert run(tmp_path, tmp_path / "masks") == 0
    assert "1 of 2 masks cover their whole image (first: mask); is it a mask, with a background of 0?" in capsys.readouterr().err


def test_pictures_beside_png_masks_are_left_out_and_said(tmp_path: Path) -> None:
    """A folder of photos and PNG masks has no mask but the PNGs."""
    (tmp_path / "masks").mkdir()
    mask, photo = file(HARD), file(PHOTO, "JPEG")
    for name, content in {"a.png": mask, "b_mask.png": mask, "a.jpg": photo, "b.jpg": photo}.items():
        (tmp_path / "masks" / name).write_bytes(content)
    assert not open_source(tmp_path / "masks")[0].notes
    (tmp_path / "masks" / "c.jpg").write_bytes(file(HARD, "JPEG"))
    (note,) = open_source(tmp_path / "masks")[0].notes
    assert note == "left out: 1 picture beside 2 PNGs (first: c.jpg)"


def test_a_soft_mask_never_becomes_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "masks").mkdir()
    written(tmp_path / "masks", file(cv2.GaussianBlur(SOFT, (0, 0), 4)))
    assert run(tmp_path, tmp_path / "masks", "--format", "semantic") == 1
    assert "expected a label map, got a soft mask of" in capsys.readouterr().err


def test_too_many_numbers_for_classes_are_asked_about(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "masks").mkdir()
    written(tmp_path / "masks", file(voronoi(80, 0, np.arange(80) * 3)))
    assert run(tmp_path, tmp_path / "masks") == 1
    assert "which may be either; say --format masks" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["mask.jpg", "mask.JPEG", "mask.webp", "mask.bmp"])
def test_a_mask_is_not_written_where_it_would_blur(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, file(HARD))
    assert run(tmp_path, path, out=name) == 1
    assert f"{name}: expected a .png or .tif to write a mask, got" in capsys.readouterr().err


def test_a_mask_is_written_as_tiff(tmp_path: Path) -> None:
    path = written(tmp_path, file(SOFT))
    assert run(tmp_path, path, out="refined.tif") == 0
    assert np.array_equal(images.open(tmp_path / "refined.tif"), HARD)
