"""How large an image file says that it is, read from its first bytes, so that no decoder takes memory for a size nobody has."""

from __future__ import annotations

import struct
from collections.abc import Callable

Frame = tuple[int, int]

TABLES = {0xC4, 0xC8, 0xCC}
"""JPEG's segments among 0xC0..0xCF that begin no frame."""
BARE = {0x01, *range(0xD0, 0xD9)}
"""JPEG's markers without a segment."""
STUFFING = {0x00, 0xFF}
"""What follows a byte 0xFF of JPEG that is no marker."""
WIDTH, HEIGHT = 256, 257
"""TIFF's tags."""
INTEGERS = {3: "H", 4: "I", 16: "Q"}
"""TIFF's types that a size may have."""


def stated_frame(content: bytes) -> Frame | None:
    """(H, W) of a PNG, JPEG, WebP, BMP or TIFF file; None for any other, or one that is cut off before it says.

    >>> stated_frame(b"BM" + bytes(12) + struct.pack("<Iii", 40, 640, -480))
    (480, 640)
    """
    for signature, place, read in _READERS:
        if content[place : place + len(signature)] == signature:
            try:
                return read(content)
            except (struct.error, IndexError, OverflowError):
                return None
    return None


def _png(content: bytes) -> Frame:
    width, height = struct.unpack_from(">II", content, 16)
    return height, width


def _jpeg(content: bytes) -> Frame | None:
    """Of its first frame header: a second one is an error to every decoder."""
    place = 2
    while (place := content.find(b"\xff", place)) >= 0:
        marker = content[place + 1]
        if marker in STUFFING or marker in BARE:
            place += 1 if marker == 0xFF else 2
        elif 0xC0 <= marker <= 0xCF and marker not in TABLES:
            height, width = struct.unpack_from(">HH", content, place + 5)
            return height, width
        else:
            place += 2 + int.from_bytes(content[place + 2 : place + 4], "big")
    return None


def _webp(content: bytes) -> Frame | None:
    kind = content[12:16]
    if kind == b"VP8X":
        width, height = (1 + int.from_bytes(content[place : place + 3], "little") for place in (24, 27))
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


def _tiff(content: bytes) -> Frame | None:
    """Of its first picture, as OpenCV reads it."""
    order = "<" if content[0] == ord("I") else ">"
    (version,) = struct.unpack_from(f"{order}H", content, 2)
    big = version == 43
    (start,) = struct.unpack_from(f"{order}Q" if big else f"{order}I", content, 8 if big else 4)
    (count,) = struct.unpack_from(f"{order}Q" if big else f"{order}H", content, start)
    first, entry = (start + 8, 20) if big else (start + 2, 12)
    sizes = {WIDTH: 0, HEIGHT: 0}
    for place in range(first, min(first + count * entry, len(content)), entry):
        tag, kind = struct.unpack_from(f"{order}HH", content, place)
        if tag in sizes and kind in INTEGERS:
            (value,) = struct.unpack_from(order + INTEGERS[kind], content, place + entry - (8 if big else 4))
            sizes[tag] = max(sizes[tag], value)
    return (sizes[HEIGHT], sizes[WIDTH]) if all(sizes.values()) else None


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
