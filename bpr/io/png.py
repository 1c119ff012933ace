"""PNG label maps: the numbers that lie in the file, and its palette, which OpenCV would turn into colours.

A palette image's pixels are stored as a grey image's are. Its header, rewritten to say grey, lets OpenCV decode the
numbers; rewritten back, with the palette beside it, what OpenCV has encoded is a palette image again.
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
from bpr.io.images import check_size

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, PALETTE = 0, 3
DEPTHS = {GREY: (1, 2, 4, 8, 16), PALETTE: (1, 2, 4, 8)}
"""Bits that a number may have."""
DEPTH, KIND = 8, 9
"""Where the header holds the bit depth and the colour type."""


@dataclass(frozen=True)
class Palette:
    """The bytes of a PNG's palette (RGB triples) and of its entries' opacity."""

    colours: bytes
    opacity: bytes = b""


def read_labels(path: str | Path) -> tuple[np.ndarray, Palette | None]:
    """(H, W) uint8 or uint16 numbers of a grey or palette PNG, and the palette where there is one.

    Raises:
        BPRError: not a PNG, damaged, or an image of colours.
    """
    return decode_labels(_bytes(path), path)


def decode_labels(content: bytes, path: str | Path) -> tuple[np.ndarray, Palette | None]:
    """:func:`read_labels` of a file's bytes; ``path`` is what errors call it."""
    chunks = _chunks(content, path)
    header = bytearray(chunks[b"IHDR"])
    if header[DEPTH] not in DEPTHS.get(header[KIND], ()):
        raise BPRError(f"{path}: expected a PNG of one channel or with a palette, got one of colours; save the label numbers themselves")
    coloured = header[KIND] == PALETTE
    header[KIND] = GREY
    labels = _decode(_assemble([(b"IHDR", bytes(header)), (b"IDAT", chunks[b"IDAT"]), (b"IEND", b"")]), cv2.IMREAD_UNCHANGED, path)
    if not coloured:
        return labels, None
    # OpenCV stretches grey of 1, 2 or 4 bits to 0..255.
    return labels // (255 // (2 ** header[DEPTH] - 1)), Palette(chunks.get(b"PLTE", b""), chunks.get(b"tRNS", b""))


def read_colours(path: str | Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a PNG as it lies in the file.

    Raises:
        BPRError: missing or damaged.
    """
    return decode_colours(_bytes(path), path)


def decode_colours(content: bytes, path: str | Path) -> np.ndarray:
    """:func:`read_colours` of a file's bytes; ``path`` is what errors call it."""
    chunks = _chunks(content, path)
    pixels = [(name, data) for name, data in chunks.items() if name in (b"PLTE", b"IDAT")]
    whole = _assemble([(b"IHDR", chunks[b"IHDR"]), *pixels, (b"IEND", b"")])
    return _decode(whole, cv2.IMREAD_COLOR_RGB, path)


def is_coloured(content: bytes, path: str | Path) -> bool:
    """Whether the pixels of a PNG are colours of their own, and not numbers.

    Raises:
        BPRError: not a PNG, or damaged.
    """
    return _chunks(content, path)[b"IHDR"][KIND] not in DEPTHS


def write_png(path: str | Path, pixels: np.ndarray, palette: Palette | None = None) -> None:
    """Write (H, W) uint8 or uint16 numbers, or (H, W, 3) uint8 RGB, as a PNG."""
    with atomic_open(path, "wb") as file:
        file.write(encode_png(pixels, palette))


def encode_png(pixels: np.ndarray, palette: Palette | None = None) -> bytes:
    """What :func:`write_png` writes."""
    _, data = cv2.imencode(".png", pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    content = data.tobytes()
    if palette:
        chunks = dict(_split(content))
        header = bytearray(chunks[b"IHDR"])
        header[KIND] = PALETTE
        opacity = [(b"tRNS", palette.opacity)] if palette.opacity else []
        content = _assemble([(b"IHDR", bytes(header)), (b"PLTE", palette.colours), *opacity, (b"IDAT", chunks[b"IDAT"]), (b"IEND", b"")])
    return content


def _chunks(content: bytes, path: str | Path) -> dict[bytes, bytes]:
    if not content.startswith(SIGNATURE):
        raise BPRError(f"{path}: expected a PNG, got another file")
    chunks = dict(_split(content))
    if b"IEND" not in chunks or len(chunks.get(b"IHDR", b"")) != 13:
        raise BPRError(f"{path}: expected a whole PNG, got one that is cut or damaged")
    return chunks


def _split(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and bytes of every chunk up to the first damaged one; the parts of the pixels joined, as they are one stream."""
    position, pixels = len(SIGNATURE), []
    while position + 12 <= len(content):
        length, name = struct.unpack_from(">I4s", content, position)
        data, check = content[position + 8 : position + 8 + length], content[position + 8 + length : position + 12 + length]
        if check != struct.pack(">I", zlib.crc32(name + data)):
            break
        position += 12 + length
        if name == b"IDAT":
            pixels.append(data)
        else:
            yield name, data
    yield b"IDAT", b"".join(pixels)


def _assemble(chunks: list[tuple[bytes, bytes]]) -> bytes:
    parts = [struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks]
    return SIGNATURE + b"".join(parts)


def _bytes(path: str | Path) -> bytes:
    try:
        return read_whole(path)
    except OSError as error:
        raise BPRError(f"{path}: cannot read the PNG ({error.strerror})") from None


def _decode(content: bytes, flags: int, path: str | Path) -> np.ndarray:
    check_size(content, path)
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:  # what is beyond OpenCV's limits raises, what is broken does not
        image = None
    if image is None:
        raise BPRError(f"{path}: expected a PNG, got a file that OpenCV cannot decode")
    return image
