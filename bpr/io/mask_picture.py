"""A mask that comes as a picture: grey, with a palette, in colours, or as paint on a transparent layer.

Which of its pixels are the object is decided in :mod:`bpr.io.shown_object`.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bpr.errors import BadMask, BPRError, shown, warn_caller
from bpr.io.files import atomic_open, content_of, read_whole
from bpr.io.image_header import encode_tiff, tiff_page, tiff_pages
from bpr.io.image_list import SUFFIXES
from bpr.io.images import check_size, decode_pixels, raw_samples, read_framed, to_rgb, undecodable
from bpr.io.png import SIGNATURE, Palette, decode_labels, decode_planes, is_coloured, write_png
from bpr.io.shown_object import (
    as_number,
    coloured_object,
    eight_bits,
    full_value,
    grey_object,
    is_soft,
    levels,
    opaque_object,
    palette_as_shown,
    varies,
)

EMPTY = "is empty"
TIFF = {".tif", ".tiff"}
EXACT = {".png", *TIFF}
"""Endings of the pictures that a mask is written as."""
LOSSY = (b"\xff\xd8\xff", b"RIFF")
"""The first bytes of JPEG and WebP, whose colours are noisy."""


def read_mask(picture: str | Path | bytes) -> NDArray[np.bool_]:
    """The implementation of :func:`bpr.read_mask`."""
    if not isinstance(picture, (str, Path, bytes)):
        raise BadMask(f"mask: expected a file or its bytes, got {type(picture).__name__}")
    name = "mask" if isinstance(picture, bytes) else str(picture)
    try:
        content = picture if isinstance(picture, bytes) else content_of(picture, "the mask")
        mask = one_object(decode_mask_picture(content, name)[0], name)
    except BPRError as error:
        raise BadMask(str(error)) from None
    if remark := extent(mask):
        warn_caller(f"{name}: the mask {remark}; is it the right file?")
    return mask


def read_mask_picture(path: str | Path) -> tuple[np.ndarray, Palette | None]:
    """:func:`decode_mask_picture` for a file."""
    return decode_mask_picture(content_of(path, "the mask"), path)


def decode_mask_picture(content: bytes, path: str | Path) -> tuple[np.ndarray, Palette | None]:
    """The numbers in the bytes of a picture: 0 and one value for a mask of one object, else a label map.

    Args:
        path: names the picture in errors.

    Returns:
        (H, W) whole numbers, of 8 or 16 bits except in a TIFF, and the palette if they are those of a palette PNG.

    Raises:
        BPRError: not a picture, a damaged one, or one of several colours that may be several objects.
    """
    if content.startswith(SIGNATURE) and not is_coloured(content, path):
        numbers, palette = decode_labels(content, path)
        return palette_as_shown(numbers, palette) if palette else (grey_object(numbers, path), None)
    pixels = _decoded(content, path)
    if pixels.ndim == 2:
        return grey_object(pixels, path), None
    colours, opacity = pixels[..., :3], pixels[..., 3:].squeeze(2) if pixels.shape[2] == 4 else None
    if opacity is not None and varies(opacity):
        return as_number(opaque_object(eight_bits(colours), opacity, path)), None
    if (colours == colours[..., :1]).all():
        return grey_object(np.ascontiguousarray(colours[..., 0]), path), None
    return as_number(coloured_object(colours, content.startswith(LOSSY), path)), None


def read_alpha(path: str | Path) -> np.ndarray:
    """The (H, W) float32 alpha, 0..1, of one object in a picture: of a soft mask its greys or its opacity, else 0 and 1.

    Raises:
        BPRError: not a picture, a damaged one, or one of several objects, as far as one can see.
    """
    content = content_of(path, "the mask")
    pixels = _decoded(content, path)
    plane = pixels[..., 3] if pixels.ndim == 3 and pixels.shape[2] == 4 else pixels
    if plane.ndim == 3 and (plane == plane[..., :1]).all():
        plane = plane[..., 0]
    if plane.ndim == 2 and is_soft(plane):
        return (plane / np.float32(full_value(plane))).astype(np.float32)
    return one_object(decode_mask_picture(content, path)[0], path).astype(np.float32)


def one_object(numbers: np.ndarray, path: str | Path) -> NDArray[np.bool_]:
    """The (H, W) bool mask of numbers of one object on 0.

    Raises:
        BadMask: there are several numbers beside 0.
    """
    found = levels(numbers)
    objects = [number for number in found if number]
    if len(objects) > 1:
        remedy = "give one picture for each object, or refine all as label PNGs with bpr refine --format masks"
        raise BadMask(f"{path}: expected one object, got a label map of the numbers {shown(found)}; {remedy}")
    return numbers != 0


def extent(mask: np.ndarray) -> str | None:
    """What is odd about the extent of an (H, W) bool mask; None if nothing is."""
    return "covers the whole image" if mask.all() else None if mask.any() else EMPTY


def check_mask_name(path: str | Path) -> None:
    """Raise a BPRError where the ending of a file's name means a format that cannot hold a mask exactly."""
    ending = Path(path).suffix.lower()
    if ending in SUFFIXES and ending not in EXACT:
        raise BPRError(f"{path}: expected a .png or .tif to write a mask, got {ending}; choose another ending")


def write_mask_picture(path: Path, numbers: np.ndarray, palette: Palette | None = None) -> None:
    """Write (H, W) whole numbers as a TIFF of their type where the name says so, else as a PNG."""
    if path.suffix.lower() not in TIFF:
        write_png(path, numbers, palette)
        return
    with atomic_open(path, "wb") as file:
        shallow = numbers.dtype in (np.uint8, np.uint16)
        file.write(cv2.imencode(".tif", numbers)[1].tobytes() if shallow else encode_tiff(numbers))


def write_cutout(path: str | Path, photo: str | Path, mask: str | Path, soft: bool = False) -> None:
    """Write a photo that is transparent where its mask is background, as a PNG or, where the name says so, a TIFF.

    Args:
        soft: the mask holds 8-bit alpha, which becomes the opacity.

    Raises:
        BPRError: a file cannot be read or written, or they differ in size.
    """
    opacity = _decoded(read_whole(mask), mask) if soft else read_mask_picture(mask)[0] != 0
    pixels = read_framed(photo, (opacity.shape[0], opacity.shape[1]))
    ending = ".tif" if Path(path).suffix.lower() in TIFF else ".png"
    with atomic_open(path, "wb") as file:
        file.write(encode_cutout(pixels, opacity, ending))


def encode_cutout(photo: np.ndarray, opacity: np.ndarray, ending: str = ".png") -> bytes:
    """A picture file of an (H, W, 3) uint8 RGB photo with the opacity of an (H, W) bool mask or uint8 alpha."""
    alpha = as_number(opacity) if opacity.dtype == bool else opacity
    layer = cv2.cvtColor(np.dstack([photo, alpha]), cv2.COLOR_RGBA2BGRA)
    return cv2.imencode(ending, layer)[1].tobytes()


def _decoded(content: bytes, path: str | Path) -> np.ndarray:
    """(H, W) whole numbers, or (H, W, 3) RGB or (H, W, 4) RGBA, uint8 or uint16."""
    if content.startswith(SIGNATURE):
        return decode_planes(content, path)
    check_size(content, path)
    page, pages = tiff_page(content), len(tiff_pages(content))
    if pages > 1:
        raise BPRError(f"{path}: expected a mask or label map of one page, got {pages}; save each page as a file")
    # Only without IMREAD_UNCHANGED does OpenCV turn a JPEG by its EXIF tag, as the photo is turned.
    flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH if content.startswith(LOSSY[0]) else cv2.IMREAD_UNCHANGED
    with_opacity = page is not None and page.samples == 2  # of which OpenCV reads the greys alone
    pixels = None if with_opacity else decode_pixels(content, flags)
    if pixels is not None:
        pixels = to_rgb(pixels)
    elif page:
        pixels = raw_samples(content, path, page)
        pixels = pixels[..., 0] if pixels.ndim == 3 and page.samples == 1 else pixels
        pixels = pixels[..., [0, 0, 0, 1]] if with_opacity else pixels
    else:
        raise undecodable(path)
    if pixels.ndim == 3 and pixels.shape[2] not in (3, 4):
        raise BPRError(f"{path}: expected a mask of grey values or colours, got {pixels.shape[2]} bands; save the one that is the mask")
    if pixels.dtype.kind == "f" and pixels.size and pixels.min() >= 0 and pixels.max() <= 1:
        pixels = np.rint(pixels.astype(np.promote_types(pixels.dtype, np.float32)) * 65535).astype(np.uint16)
    numbers = pixels.ndim == 2 and pixels.dtype.kind in "ui" and pixels.min() >= 0
    if not numbers and pixels.dtype not in (np.uint8, np.uint16):
        raise BPRError(f"{path}: expected a mask of whole numbers, or floats in [0, 1], got {pixels.dtype}; save it with 8 or 16 bits")
    return pixels
