"""PNG label maps: the stored numbers and the palette, where OpenCV alone would return the palette's colours.

All readers raise a BPRError for a file that is not a PNG, or a damaged one.

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
from bpr.io.files import atomic_open, content_of
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


def read_labels(path: str | Path) -> tuple[np.ndarray, Palette | None]:
    """(H, W) uint8 or uint16 numbers of a grey or palette PNG, and its palette, None for grey.

    Raises:
        BPRError: the file holds colours.
    """
    return decode_labels(content_of(path, "the PNG"), path)


def decode_labels(content: bytes, path: str | Path) -> tuple[np.ndarray, Palette | None]:
    """:func:`read_labels` for the bytes of a file; ``path`` names it in errors."""
    chunks = _chunks(content, path)
    header = bytearray(chunks[b"IHDR"])
    if header[DEPTH] not in DEPTHS.get(header[KIND], ()):
        raise BPRError(f"{path}: expected a PNG of one channel or with a palette, got one of colours; save the label numbers themselves")
    has_palette = header[KIND] == PALETTE
    header[KIND] = GREY
    labels = _decode({**chunks, b"IHDR": bytes(header)}, [b"IHDR", b"IDAT"], cv2.IMREAD_UNCHANGED, path)
    if not has_palette:
        return labels, None
    # OpenCV stretches grey values of 1, 2 or 4 bits to 0..255.
    return labels // (255 // (2 ** header[DEPTH] - 1)), Palette(chunks.get(b"PLTE", b""), chunks.get(b"tRNS", b""))


def decode_colours(content: bytes, path: str | Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a PNG, without colour management or transparency."""
    return _decode(_chunks(content, path), [b"IHDR", b"PLTE", b"IDAT"], cv2.IMREAD_COLOR_RGB, path)


def decode_planes(content: bytes, path: str | Path) -> np.ndarray:
    """The channels of a PNG in its own depth: (H, W), (H, W, 3) RGB or (H, W, 4) RGBA."""
    return to_rgb(_decode(_chunks(content, path), [b"IHDR", b"PLTE", b"tRNS", b"IDAT"], cv2.IMREAD_UNCHANGED, path))


def is_coloured(content: bytes, path: str | Path) -> bool:
    """Whether a PNG stores a colour for every pixel, and not one number."""
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
        opacity = {b"tRNS": palette.opacity} if palette.opacity else {}
        content = _assemble({b"IHDR": bytes(header), b"PLTE": palette.colours, **opacity, b"IDAT": chunks[b"IDAT"]})
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


def _assemble(chunks: dict[bytes, bytes]) -> bytes:
    """A PNG of chunks, the data by the name, without the last one, which is empty."""
    parts = [SIGNATURE]
    for name, data in {**chunks, b"IEND": b""}.items():
        parts += [struct.pack(">I", len(data)), name, data, struct.pack(">I", zlib.crc32(name + data))]
    return b"".join(parts)


def _decode(chunks: dict[bytes, bytes], names: list[bytes], flags: int, path: str | Path) -> np.ndarray:
    """What OpenCV decodes with its ``flags`` from the chunks of these names alone, in this order."""
    content = _assemble({name: chunks[name] for name in names if name in chunks})
    check_size(content, path)
    image = decode_pixels(content, flags)
    if image is None:
        raise BPRError(f"{path}: expected a PNG, got a file that OpenCV cannot decode")
    return image
