"""PNG label maps: the stored numbers and the palette, where OpenCV alone would return the palette's colours.

A palette image stores its pixels as a grey image does. With a header rewritten to grey, OpenCV decodes the numbers.
With the header rewritten back and the palette inserted, a grey image that OpenCV encoded becomes a palette image.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from bpr.errors import BPRError
from bpr.io.files import atomic_open, read_whole
from bpr.io.images import check_size, decode_pixels, to_rgb

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, PALETTE = 0, 3
"""PNG's colour types for images that hold one number per pixel."""
DEPTHS = {GREY: (1, 2, 4, 8, 16), PALETTE: (1, 2, 4, 8)}
"""Bits per pixel that each colour type allows."""
DEPTH, KIND = 8, 9
"""Bytes of the header chunk (IHDR) that hold the bit depth and the colour type."""


@dataclass(frozen=True)
class Palette:
    """A PNG's palette: RGB triples, and one byte of opacity for each of the first entries."""

    colours: bytes
    opacity: bytes = b""


def read_png(path: str | Path) -> bytes:
    """The bytes of a PNG.

    Raises:
        BPRError: they cannot be read.
    """
    try:
        return read_whole(path)
    except OSError as error:
        raise BPRError(f"{path}: cannot read the PNG ({error.strerror})") from None


def read_labels(path: str | Path) -> tuple[np.ndarray, Palette | None]:
    """(H, W) uint8 or uint16 numbers of a grey or palette PNG, and its palette, None for grey.

    Raises:
        BPRError: the file is not a PNG, is damaged, or holds colours.
    """
    return decode_labels(read_png(path), path)


def decode_labels(content: bytes, path: str | Path) -> tuple[np.ndarray, Palette | None]:
    """:func:`read_labels` for the bytes of a file; ``path`` names it in errors."""
    chunks = _chunks(content, path)
    header = bytearray(chunks[b"IHDR"])
    if header[DEPTH] not in DEPTHS.get(header[KIND], ()):
        remedy = "save the label numbers themselves"
        raise BPRError(f"{path}: expected a PNG of one channel or with a palette, got one of colours; {remedy}")
    has_palette = header[KIND] == PALETTE
    header[KIND] = GREY
    grey = _assemble([(b"IHDR", bytes(header)), (b"IDAT", chunks[b"IDAT"]), (b"IEND", b"")])
    labels = _decode(grey, cv2.IMREAD_UNCHANGED, path)
    if not has_palette:
        return labels, None
    # OpenCV stretches grey values of 1, 2 or 4 bits to 0..255.
    return labels // (255 // (2 ** header[DEPTH] - 1)), Palette(chunks.get(b"PLTE", b""), chunks.get(b"tRNS", b""))


def decode_colours(content: bytes, path: str | Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a PNG, without colour management or transparency.

    Raises:
        BPRError: the bytes are not a PNG, or damaged.
    """
    chunks = _chunks(content, path)
    pixels = [(name, data) for name, data in chunks.items() if name in (b"PLTE", b"IDAT")]
    whole = _assemble([(b"IHDR", chunks[b"IHDR"]), *pixels, (b"IEND", b"")])
    return _decode(whole, cv2.IMREAD_COLOR_RGB, path)


def decode_planes(content: bytes, path: str | Path) -> np.ndarray:
    """The channels of a PNG in its own depth: (H, W), (H, W, 3) RGB or (H, W, 4) RGBA.

    Raises:
        BPRError: the bytes are not a PNG, or damaged.
    """
    chunks = _chunks(content, path)
    stored = [(name, chunks[name]) for name in (b"IHDR", b"PLTE", b"tRNS", b"IDAT") if name in chunks]
    return to_rgb(_decode(_assemble([*stored, (b"IEND", b"")]), cv2.IMREAD_UNCHANGED, path))


def is_coloured(content: bytes, path: str | Path) -> bool:
    """Whether a PNG stores a colour for every pixel, and not one number.

    Raises:
        BPRError: the bytes are not a PNG, or damaged.
    """
    return _chunks(content, path)[b"IHDR"][KIND] not in DEPTHS


def write_png(path: str | Path, pixels: np.ndarray, palette: Palette | None = None) -> None:
    """Write (H, W) uint8 or uint16 numbers, or (H, W, 3) uint8 RGB, as a PNG."""
    with atomic_open(path, "wb") as file:
        file.write(encode_png(pixels, palette))


def encode_png(pixels: np.ndarray, palette: Palette | None = None) -> bytes:
    """The bytes that :func:`write_png` writes. Whole numbers of other types are stored with 8 or 16 bits.

    Raises:
        BPRError: a number is larger than 65535.
    """
    if pixels.dtype not in (np.uint8, np.uint16):
        most = int(pixels.max(initial=0))
        if most > 65535:
            raise BPRError(f"expected numbers up to 65535 in a PNG, got {most}; write a .tif")
        pixels = pixels.astype(np.uint8 if most < 256 else np.uint16)
    _, data = cv2.imencode(".png", pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    content = data.tobytes()
    if palette:
        chunks = dict(_split(content))
        header = bytearray(chunks[b"IHDR"])
        header[KIND] = PALETTE
        opacity = [(b"tRNS", palette.opacity)] if palette.opacity else []
        pixel_data = [(b"IDAT", chunks[b"IDAT"]), (b"IEND", b"")]
        content = _assemble([(b"IHDR", bytes(header)), (b"PLTE", palette.colours), *opacity, *pixel_data])
    return content


def _chunks(content: bytes, path: str | Path) -> dict[bytes, bytes]:
    """The data of every chunk of a PNG by the chunk's name."""
    if not content.startswith(SIGNATURE):
        raise BPRError(f"{path}: expected a PNG, got another file")
    chunks = dict(_split(content))
    if b"IEND" not in chunks or len(chunks.get(b"IHDR", b"")) != 13:
        raise BPRError(f"{path}: expected a whole PNG, got one that is cut or damaged")
    return chunks


def _split(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(name, data) of every chunk before the first damaged one; IDAT chunks come joined, since they are one stream."""
    position, pixels = len(SIGNATURE), []
    while position + 12 <= len(content):
        length, name = struct.unpack_from(">I4s", content, position)
        end = position + 8 + length
        data, check = content[position + 8 : end], content[end : end + 4]
        if check != struct.pack(">I", zlib.crc32(name + data)):
            break
        position = end + 4
        if name == b"IDAT":
            pixels.append(data)
        else:
            yield name, data
    yield b"IDAT", b"".join(pixels)


def _assemble(chunks: list[tuple[bytes, bytes]]) -> bytes:
    """A PNG of (name, data) chunks."""
    parts = [SIGNATURE]
    for name, data in chunks:
        parts += [struct.pack(">I", len(data)), name, data, struct.pack(">I", zlib.crc32(name + data))]
    return b"".join(parts)


def _decode(content: bytes, flags: int, path: str | Path) -> np.ndarray:
    check_size(content, path)
    image = decode_pixels(content, flags)
    if image is None:
        raise BPRError(f"{path}: expected a PNG, got a file that OpenCV cannot decode")
    return image
