"""The size that an image file's header states, so that absurd sizes are refused before a decoder takes memory."""

from __future__ import annotations

import struct
from collections.abc import Callable

Frame = tuple[int, int]

JPEG_NO_FRAME = {0xC4, 0xC8, 0xCC}
"""JPEG markers in 0xC0..0xCF that do not start a frame header; all others of that range do."""
JPEG_NO_SEGMENT = {0x01, *range(0xD0, 0xD9)}
"""JPEG markers that no segment follows."""
JPEG_NO_MARKER = {0x00, 0xFF}
"""Bytes which, after a byte 0xFF of a JPEG, show that it is stuffing or fill and not the start of a marker."""
TIFF_WIDTH, TIFF_HEIGHT, TIFF_ORIENTATION = 256, 257, 274
"""The TIFF tags that hold the size, and how the picture is to be turned: 1 to 8, as in EXIF."""
TIFF_INTEGERS = {3: "H", 4: "I", 16: "Q"}
"""The TIFF types that these tags may have, as formats of :mod:`struct`."""


def stated_frame(content: bytes) -> Frame | None:
    """(H, W) that a PNG, JPEG, WebP, BMP or TIFF file states.

    None for any other file, and for one that ends before its size.

    >>> stated_frame(b"BM" + bytes(12) + struct.pack("<Iii", 40, 640, -480))
    (480, 640)
    """
    for signature, start, read in _READERS:
        if content[start : start + len(signature)] == signature:
            try:
                return read(content)
            except (struct.error, IndexError, OverflowError):
                return None
    return None


def _png(content: bytes) -> Frame:
    width, height = struct.unpack_from(">II", content, 16)
    return height, width


def _jpeg(content: bytes) -> Frame | None:
    """The size in the first frame header; decoders reject a file with a second one."""
    position = 2
    while (position := content.find(b"\xff", position)) >= 0:
        marker = content[position + 1]
        if marker in JPEG_NO_MARKER or marker in JPEG_NO_SEGMENT:
            position += 1 if marker == 0xFF else 2
        elif 0xC0 <= marker <= 0xCF and marker not in JPEG_NO_FRAME:
            height, width = struct.unpack_from(">HH", content, position + 5)
            return height, width
        else:
            position += 2 + int.from_bytes(content[position + 2 : position + 4], "big")
    return None


def _webp(content: bytes) -> Frame | None:
    kind = content[12:16]
    if kind == b"VP8X":
        width, height = (1 + int.from_bytes(content[start : start + 3], "little") for start in (24, 27))
        return height, width
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        return 1 + (bits >> 14 & 0x3FFF), 1 + (bits & 0x3FFF)
    width, height = struct.unpack_from("<HH", content, 26)
    return (height & 0x3FFF, width & 0x3FFF) if kind == b"VP8 " else None


def _bmp(content: bytes) -> Frame:
    (header,) = struct.unpack_from("<I", content, 14)
    width, height = struct.unpack_from("<HH" if header == 12 else "<ii", content, 18)
    return abs(height), abs(width)


def tiff_orientation(content: bytes) -> int:
    """How a TIFF file asks to be turned, 1 to 8; 1 (not at all) for any other file."""
    if content[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return 1
    try:
        return _tiff_numbers(content)[TIFF_ORIENTATION] or 1
    except (struct.error, IndexError, OverflowError):
        return 1


def _tiff(content: bytes) -> Frame | None:
    numbers = _tiff_numbers(content)
    height, width = numbers[TIFF_HEIGHT], numbers[TIFF_WIDTH]
    return (height, width) if height and width else None


def _tiff_numbers(content: bytes) -> dict[int, int]:
    """The tags of the first picture, which is the one that OpenCV reads; 0 for a tag that is missing."""
    order = "<" if content[0] == ord("I") else ">"
    (version,) = struct.unpack_from(f"{order}H", content, 2)
    big = version == 43
    (start,) = struct.unpack_from(f"{order}Q" if big else f"{order}I", content, 8 if big else 4)
    (count,) = struct.unpack_from(f"{order}Q" if big else f"{order}H", content, start)
    first, entry = (start + 8, 20) if big else (start + 2, 12)
    numbers = {TIFF_WIDTH: 0, TIFF_HEIGHT: 0, TIFF_ORIENTATION: 0}
    for position in range(first, min(first + count * entry, len(content)), entry):
        tag, kind = struct.unpack_from(f"{order}HH", content, position)
        if tag in numbers and kind in TIFF_INTEGERS:
            (value,) = struct.unpack_from(order + TIFF_INTEGERS[kind], content, position + entry - (8 if big else 4))
            numbers[tag] = max(numbers[tag], value)
    return numbers


_READERS: tuple[tuple[bytes, int, Callable[[bytes], Frame | None]], ...] = (
    (b"\x89PNG\r\n\x1a\n", 0, _png),
    (b"\xff\xd8\xff", 0, _jpeg),
    (b"WEBP", 8, _webp),
    (b"BM", 0, _bmp),
    (b"II*\0", 0, _tiff),
    (b"MM\0*", 0, _tiff),
    (b"II+\0", 0, _tiff),
    (b"MM\0+", 0, _tiff),
)
"""(signature, the byte at which it stands, reader of the size)."""
