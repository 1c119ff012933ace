"""From the file of an image, its bytes, or a picture in memory to pixels."""

from __future__ import annotations

import logging
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol, TypeGuard

import cv2
import numpy as np

from bpr.errors import BadImage, BPRError, install_hint
from bpr.io.files import content_of, open_regular
from bpr.io.image_header import (
    FLOAT,
    GREY,
    GREY_WHITE,
    RGB,
    SIGNED,
    TIFF_ORIENTATION,
    TiffPage,
    stated_frame,
    tiff_from_page,
    tiff_not_multiplied,
    tiff_page,
    tiff_pages,
)
from bpr.io.pixels import AS_THEY_ARE, Facts, PixelOptions, Shown
from bpr.io.pixels import shown as as_shown
from bpr.limits import DENSEST, LARGEST_FRAME, SMALL_FRAME, bytes_can_encode, is_frame

HEADER = 2**14
"""Bytes of a file in which its size usually stands."""


class Picture(Protocol):
    """A PIL image. It is recognised by its members, because Pillow is not needed otherwise."""

    @property
    def size(self) -> tuple[int, int]: ...

    @property
    def mode(self) -> str: ...

    def convert(self, mode: str) -> Any: ...

    def getexif(self) -> Any: ...


def read_image(path: str | Path, *frames: tuple[int, int] | None) -> np.ndarray:
    """:func:`read_shown` with the options by default: (H, W, 3) uint8 RGB."""
    return read_shown(path, *frames).pixels


def read_shown(path: str | Path, *frames: tuple[int, int] | None, options: PixelOptions = AS_THEY_ARE) -> Shown:
    """Decode an image file into what the network sees of it (:mod:`bpr.io.pixels`).

    A photo is rotated as its EXIF tag says, as viewers and most detectors do. Grey and CMYK become RGB, transparency is
    dropped: colours stay as they are stored.

    Args:
        frames: (H, W) of the masks of this image, as far as they are known. Where the first of them that the photo has
            at all is its size without the EXIF rotation, the masks belong to the photo as it is stored, and it is not
            rotated.
        options: which of its pages, bands and values are seen.

    Raises:
        BadImage: the file is missing, cannot be decoded, or exceeds the limits of :mod:`bpr.limits`; or the options do
            not fit it.
    """
    try:
        content = content_of(path, "the image")
    except BPRError as error:
        raise BadImage(str(error)) from None
    return decode_shown(content, path, *frames, options=options)


def read_framed(path: str | Path, frame: tuple[int, int]) -> np.ndarray:
    """:func:`read_image` for masks of this ``frame`` (H, W), which the image must have.

    Raises:
        BadImage: as :func:`read_image`; the image has another size.
    """
    image = read_image(path, frame)
    if image.shape[:2] != tuple(frame):
        raise BadImage(f"{path}: expected the masks' {frame[0]}x{frame[1]} pixels (height x width), got {image.shape[0]}x{image.shape[1]}")
    return image


def frame_in_header(path: str | Path) -> tuple[int, int] | None:
    """(H, W) that an image file states, before any rotation; None where it cannot be read or states none."""
    try:
        with open_regular(path) as file:
            head = file.read(HEADER)
            return stated_frame(head) or stated_frame(head + file.read())
    except OSError:
        return None


def decode_shown(content: bytes, path: str | Path, *frames: tuple[int, int] | None, options: PixelOptions = AS_THEY_ARE) -> Shown:
    """:func:`read_shown` for the bytes of a file; ``path`` names it in errors."""
    pages = tiff_pages(content)
    if (options.page or 1) > len(pages):
        raise BadImage(f"{path}: expected --page of 1..{len(pages)}, got {options.page}")
    if options.page and options.page > 1:
        content = tiff_from_page(content, pages[options.page - 1])
    check_size(content, path)
    page = tiff_page(content)
    if page and page.multiplies:
        content = tiff_not_multiplied(content)
    raw = page is not None and not _is_plain(page, options)
    facts = Facts(str(path), pages=len(pages))
    if page is not None and raw:
        unpacked = 16 if 8 < page.bits < 16 else page.stated_bits  # OpenCV stretches 9..15 bits to 16
        facts = Facts(str(path), page.meaning == RGB, unpacked, page.no_data, page.meaning == GREY_WHITE, len(pages))

    def decode(more: int = 0) -> np.ndarray | None:
        if page is not None and raw:
            return raw_samples(content, path, page)
        return decode_pixels(content, cv2.IMREAD_COLOR_RGB | (0 if page else cv2.IMREAD_ANYDEPTH) | more)

    samples = decode()
    if samples is None:
        raise undecodable(path)
    turned = samples.shape[0], samples.shape[1]
    decisive = next((frame for frame in frames if frame is not None and tuple(frame) in (turned, turned[::-1])), turned)
    if tuple(decisive) != turned:
        stored = samples if raw else decode(cv2.IMREAD_IGNORE_ORIENTATION)
        # OpenCV turns a TIFF all the same: by a quarter, as its sides are exchanged.
        if stored is not None and page is not None and stored.shape[:2] == turned and page.orientation in (5, 6, 7, 8):
            back = {6: 8, 8: 6}.get(page.orientation, page.orientation)
            stored = np.ascontiguousarray(_turned(stored, back))
        samples = stored if stored is not None and stored.shape[:2] == tuple(decisive) else samples
    return as_shown(samples, options, facts)


def _is_plain(page: TiffPage, options: PixelOptions) -> bool:
    """Whether a TIFF is a photo of 8 bits or less, which OpenCV makes RGB whatever its numbers mean."""
    bands = page.samples > (2 if page.meaning in (GREY_WHITE, GREY) else 4)
    chosen = options.bands is not None and page.samples not in (1, 3) and page.meaning in (GREY_WHITE, GREY, RGB)
    return page.bits <= 8 and page.kind not in (SIGNED, FLOAT) and not bands and not chosen


def raw_samples(content: bytes, path: str | Path, page: TiffPage) -> np.ndarray:
    """(H, W) or (H, W, B) samples of a TIFF in their own type, turned as its orientation demands.

    Raises:
        BadImage: neither greys, colours nor bands, or a layout that nothing here can decode.
    """
    if page.meaning not in (GREY_WHITE, GREY, RGB):
        got = f"{page.bits} bits of photometric interpretation {page.meaning}"
        raise BadImage(f"{path}: expected a TIFF of greys, RGB or bands, got {got}; save it as RGB")
    # Of other bands OpenCV reads the first one, or mixes them up.
    known_bands = page.samples == 1 or (page.samples in (3, 4) and page.meaning == RGB and not page.separate)
    known_bits = page.bits in (8, 10, 12, 14, 32, 64) or (page.bits == 16 and page.kind != FLOAT)
    samples = decode_pixels(content, cv2.IMREAD_UNCHANGED) if known_bands and known_bits else None
    if samples is None:
        return np.ascontiguousarray(_turned(_by_tifffile(content, path, page), page.orientation))
    return to_rgb(samples)


def _by_tifffile(content: bytes, path: str | Path, page: TiffPage) -> np.ndarray:
    """(H, W, B) samples of the first page of a TIFF."""
    try:
        import tifffile
    except ImportError:
        remedy = f"they need the [raster] extra: {install_hint('raster')}"
        raise BadImage(f"{path}: expected a TIFF that OpenCV reads, got {page.samples} bands of {page.bits} bits; {remedy}") from None
    logging.getLogger("tifffile").addHandler(logging.NullHandler())  # its remarks on damaged tags
    try:
        with tifffile.TiffFile(BytesIO(content)) as file:
            found = file.pages[0]
            samples = np.asarray(found.asarray(maxworkers=1))
        if page.separate and page.samples > 1:
            samples = np.moveaxis(samples, 0, -1)
        return samples.reshape(*samples.shape[:2], page.samples)
    except Exception as error:  # its own, and those of struct, zlib, numpy and the memory
        raise BadImage(f"{path}: not a TIFF that can be decoded ({error}); save it without compression") from None


def is_picture(value: object) -> TypeGuard[Picture]:
    """Whether a value is a PIL image."""
    return all(hasattr(value, name) for name in ("size", "mode", "convert", "getexif"))


def decode_picture(picture: Picture, name: str, frame: tuple[int, int] | None = None, options: PixelOptions = AS_THEY_ARE) -> Shown:
    """:func:`read_shown` for a PIL image: the page that is open, with the same treatment of EXIF, depth and transparency.

    Raises:
        BadImage: its file is damaged, it is too large, or the options do not fit it.
    """
    width, height = picture.size
    _check_frame(height, width, name)
    try:
        deep = picture.mode.startswith(("I", "F"))
        stored = np.asarray(picture) if deep else np.array(picture.convert("RGB"))
        tag = picture.getexif().get(TIFF_ORIENTATION, 1)  # once it is decoded: Pillow itself turns a TIFF then
    except Exception as error:  # every format of Pillow has its own exceptions
        raise BadImage(f"{name}: not an image that Pillow can decode ({error})") from error
    turned = _turned(stored, tag)
    belongs_to_stored = frame is not None and stored.shape[:2] == tuple(frame) != turned.shape[:2]
    return show_array(stored if belongs_to_stored else np.ascontiguousarray(turned), name, options)


def show_array(samples: np.ndarray, name: str, options: PixelOptions = AS_THEY_ARE) -> Shown:
    """What the network sees of an (H, W) or (H, W, B) array; three or four bands are RGB.

    Raises:
        BadImage: no numbers, or the options do not fit it.
    """
    if options.page and options.page > 1:
        raise BadImage(f"{name}: expected --page 1 of an image in memory, got {options.page}; pass its file")
    return as_shown(samples, options, Facts(name))


def _turned(pixels: np.ndarray, tag: int) -> np.ndarray:
    """The pixels as an orientation tag demands: 2..4 mirrored or upside down, 5..8 also with exchanged sides."""
    upright = pixels.swapaxes(0, 1) if tag in (5, 6, 7, 8) else pixels
    upright = upright[::-1] if tag in (3, 4, 7, 8) else upright
    return upright[:, ::-1] if tag in (2, 3, 6, 7) else upright


def check_size(content: bytes, path: str | Path) -> None:
    """Raise a BadImage where a file states more pixels than any real image has, or more than its bytes can encode."""
    size = stated_frame(content)
    if size is None:
        raise BadImage(f"{path}: not an image that OpenCV can decode; expected PNG, JPEG, WebP, BMP or TIFF")
    _check_frame(*size, path)
    page, pixels = tiff_page(content), f"{size[1]}x{size[0]} pixels"
    deep = 0 if page is None else max(size[0] * size[1], page.tile[0] * page.tile[1]) * page.samples * page.bits // 8
    if not bytes_can_encode(*size, len(content)) or deep > max(4 * SMALL_FRAME, len(content) * DENSEST):
        pixels += f" in {page.samples} bands of {page.bits} bits and tiles of {page.tile[1]}x{page.tile[0]}" if page else ""
        raise BadImage(f"{path}: expected an image of {pixels}, got {len(content)} bytes, which cannot hold it")


def _check_frame(height: int, width: int, path: str | Path) -> None:
    if not is_frame(height, width):
        raise BadImage(f"{path}: expected an image of 1..{LARGEST_FRAME} pixels, got {width}x{height}; cut it into tiles")


def undecodable(path: str | Path) -> BadImage:
    """The error for an image whose header is right but which OpenCV does not decode."""
    got = "one that is cut, damaged or of a kind that OpenCV cannot decode"
    return BadImage(f"{path}: expected a whole image, got {got}; save it anew")


def decode_pixels(content: bytes, flags: int) -> np.ndarray | None:
    """The pixels that OpenCV decodes with its ``flags``; None of a file that it cannot decode."""
    try:
        return cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:  # raised beyond OpenCV's own size limits; a damaged file gives None
        return None


def to_rgb(pixels: np.ndarray) -> np.ndarray:
    """What OpenCV decoded, with its three or four bands in the order red, green, blue, opacity; (H, W) as it is."""
    if pixels.ndim == 3:
        pixels = pixels.copy()
        pixels[..., :3] = pixels[..., 2::-1].copy()
    return pixels
