"""What an image file's header states: its size, so that absurd ones are refused before a decoder takes memory, and what
else a TIFF says about its pages.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Collection
from contextlib import suppress
from mmap import mmap
from typing import Any, NamedTuple

import numpy as np

Frame = tuple[int, int]
"""(H, W)."""

JPEG_NO_FRAME = {0xC4, 0xC8, 0xCC}
"""JPEG markers in 0xC0..0xCF that do not start a frame header; all others of that range do."""
JPEG_NO_SEGMENT = {0x01, *range(0xD0, 0xD9)}
"""JPEG markers that no segment follows."""
JPEG_NO_MARKER = {0x00, 0xFF}
"""Bytes which, after a byte 0xFF of a JPEG, show that it is stuffing or fill and not the start of a marker."""
BIG_TIFF_STARTS = (b"II+\0", b"MM\0+")
TIFF_STARTS = (b"II*\0", b"MM\0*", *BIG_TIFF_STARTS)
"""The first bytes of a TIFF: its byte order, and whether it is a BigTIFF."""
TIFF_SUBFILE, TIFF_WIDTH, TIFF_HEIGHT, TIFF_BITS, TIFF_PHOTOMETRIC, TIFF_TEXT = 254, 256, 257, 258, 262, 270
TIFF_ORIENTATION, TIFF_SAMPLES, TIFF_MOST, TIFF_PLANAR, TIFF_TILE_WIDTH = 274, 277, 281, 284, 322
TIFF_TILE_HEIGHT, TIFF_EXTRA, TIFF_KIND, TIFF_NO_DATA = 323, 338, 339, 42113
"""The TIFF tags that are read. The orientation says how the picture is to be turned: 1 to 8, as in EXIF."""
TIFF_OF_PAGE = {
    TIFF_BITS, TIFF_PHOTOMETRIC, TIFF_TEXT, TIFF_ORIENTATION, TIFF_SAMPLES, TIFF_MOST, TIFF_PLANAR, TIFF_TILE_WIDTH,
    TIFF_TILE_HEIGHT, TIFF_EXTRA, TIFF_KIND, TIFF_NO_DATA,
}  # fmt: skip
TIFF_FORMATS = {1: "B", 2: "s", 3: "H", 4: "I", 16: "Q"}
"""The TIFF types that these tags may have, as formats of :mod:`struct`."""
TEXT = 2
TIFF_LONGEST = 2**16
"""Entries of one directory, values of one tag and pages that are looked at."""
GREY_WHITE, GREY, RGB = 0, 1, 2
"""What a TIFF's numbers mean: greys of which 0 is white, greys or bands, colours."""
NOT_MULTIPLIED = 2
"""The kind of an additional sample that is opacity by which the colours are not multiplied."""
SIGNED, FLOAT = 2, 3
"""Kinds of samples; most others are unsigned."""


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


class TiffPage(NamedTuple):
    """What a TIFF says about its first page.

    Attributes:
        bits: of a sample; 0 where the samples differ in it.
        samples: how many every pixel has.
        meaning: GREY_WHITE, GREY, RGB, or another number.
        kind: SIGNED, FLOAT, or another number; 0 where the samples differ in it.
        separate: the bands follow each other, instead of the samples of every pixel.
        orientation: 1 to 8.
        stated_bits: the depth that it states beside ``bits``; None if it states none that is smaller.
        no_data: the value of pixels that were not measured; None if there is none.
        tile: (H, W) of its tiles; (0, 0) if it has none.
        multiplies: OpenCV would multiply its colours by its opacity.
    """

    bits: int
    samples: int
    meaning: int
    kind: int
    separate: bool
    orientation: int
    stated_bits: int | None
    no_data: float | None
    tile: Frame
    multiplies: bool


def tiff_page(content: bytes) -> TiffPage | None:
    """What a TIFF says about its first page; None for any other file, and for one that is cut in it."""
    if content[:4] not in TIFF_STARTS:
        return None
    try:
        tags = _tiff_directory(content).values
    except (struct.error, IndexError, OverflowError):
        return None
    bits, kinds = set(tags.get(TIFF_BITS, (1,))), set(tags.get(TIFF_KIND, (1,)))
    bit = bits.pop() if len(bits) == 1 else 0
    return TiffPage(
        bit,
        max(tags.get(TIFF_SAMPLES, (1,))),
        max(tags.get(TIFF_PHOTOMETRIC, (GREY,))),
        kinds.pop() if len(kinds) == 1 else 0,
        tags.get(TIFF_PLANAR, (1,))[0] == 2,
        tags.get(TIFF_ORIENTATION, (1,))[0] or 1,
        _stated_bits(tags, bit),
        _no_data(tags),
        (tags.get(TIFF_TILE_HEIGHT, (0,))[0], tags.get(TIFF_TILE_WIDTH, (0,))[0]),
        NOT_MULTIPLIED in tags.get(TIFF_EXTRA, ()),
    )


def tiff_pages(content: bytes | mmap) -> list[int]:
    """Where the directories of a TIFF's pages lie, without those of smaller copies and of masks; of any other file [0].

    A chain of directories that leads back to an earlier one, or out of the file, ends there.
    """
    if content[:4] not in TIFF_STARTS:
        return [0]
    pages: list[int] = []
    seen: set[int] = set()
    start: int | None = None
    while start != 0 and start not in seen and len(seen) < TIFF_LONGEST:
        try:
            directory = _tiff_directory(content, start, {TIFF_SUBFILE})
        except (struct.error, IndexError, OverflowError):
            break
        seen |= {directory.start}
        if not pages or not any(directory.values.get(TIFF_SUBFILE, (0,))):
            pages.append(directory.start)
        start = directory.after
    return pages or [0]


def tiff_from_page(content: bytes, start: int) -> bytes:
    """A TIFF of which the page whose directory lies at ``start`` is the first one."""
    order, big = _tiff_order(content)
    if big:
        return content[:8] + struct.pack(f"{order}Q", start) + content[16:]
    return content[:4] + struct.pack(f"{order}I", start) + content[8:]


def tiff_not_multiplied(content: bytes) -> bytes:
    """A TIFF whose first page does not say that its additional samples are opacity."""
    places = _tiff_directory(content, wanted={TIFF_EXTRA}).places
    for start, stop in places:
        content = content[:start] + bytes(stop - start) + content[stop:]
    return content


def encode_tiff(numbers: np.ndarray) -> bytes:
    """A TIFF of (H, W) whole numbers of any type; OpenCV writes all of more than 16 bits as int32."""
    strip = zlib.compress(np.ascontiguousarray(numbers, numbers.dtype.newbyteorder("<")).tobytes())
    kind = SIGNED if numbers.dtype.kind == "i" else 1
    height, width = numbers.shape
    deflate, header = 8, 8
    tags = {
        TIFF_WIDTH: width, TIFF_HEIGHT: height, TIFF_BITS: 8 * numbers.dtype.itemsize, 259: deflate,
        TIFF_PHOTOMETRIC: GREY, 273: header, TIFF_SAMPLES: 1, 278: height, 279: len(strip), TIFF_KIND: kind,
    }  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    body = strip + bytes(len(strip) % 2)
    start = TIFF_STARTS[0] + struct.pack("<I", header + len(body))
    return start + body + struct.pack("<H", len(tags)) + entries + bytes(4)


def _tiff(content: bytes) -> Frame | None:
    tags = _tiff_directory(content, wanted={TIFF_WIDTH, TIFF_HEIGHT}).values
    height, width = (max(tags.get(tag, (0,))) for tag in (TIFF_HEIGHT, TIFF_WIDTH))
    return (height, width) if height and width else None


def _tiff_order(content: bytes | mmap) -> tuple[str, bool]:
    """The byte order, as a format of :mod:`struct`, and whether it is a BigTIFF."""
    order = "<" if content[0] == ord("I") else ">"
    return order, struct.unpack_from(f"{order}H", content, 2)[0] == 43


class _Directory(NamedTuple):
    """The values of a directory by tag (bytes where they are text), where they lie, and the directories' places."""

    start: int
    values: dict[int, Any]
    places: list[tuple[int, int]]
    after: int


def _tiff_directory(content: bytes | mmap, start: int | None = None, wanted: Collection[int] = TIFF_OF_PAGE) -> _Directory:
    """Read a directory, by default the first one, which is the one that OpenCV reads.

    Raises:
        struct.error, IndexError, OverflowError: the file ends before.
    """
    order, big = _tiff_order(content)
    if start is None:
        (start,) = struct.unpack_from(f"{order}Q" if big else f"{order}I", content, 8 if big else 4)
    (count,) = struct.unpack_from(f"{order}Q" if big else f"{order}H", content, start)
    first, entry, inline = (start + 8, 20, 8) if big else (start + 2, 12, 4)
    values: dict[int, Any] = {}
    places = []
    for position in range(first, first + min(count, TIFF_LONGEST) * entry, entry):
        if position + entry > len(content):
            break
        tag, kind = struct.unpack_from(f"{order}HH", content, position)
        if tag not in wanted:
            if wanted == {TIFF_SUBFILE} and tag > TIFF_SUBFILE:
                break  # tags are sorted
            continue
        (length,) = struct.unpack_from(f"{order}Q" if big else f"{order}I", content, position + 4)
        if not length or kind not in TIFF_FORMATS or (kind == TEXT) != (tag in (TIFF_TEXT, TIFF_NO_DATA)):
            continue
        length = min(length, TIFF_LONGEST)
        one = f"{order}{length}{TIFF_FORMATS[kind]}"
        at = position + entry - inline
        if struct.calcsize(one) > inline:
            (at,) = struct.unpack_from(f"{order}Q" if big else f"{order}I", content, at)
        found = struct.unpack_from(one, content, at)
        places.append((at, at + struct.calcsize(one)))
        values[tag] = found[0] if kind == TEXT else (*values.get(tag, ()), *found)
    after = 0
    with suppress(struct.error):
        (after,) = struct.unpack_from(f"{order}Q" if big else f"{order}I", content, first + count * entry)
    return _Directory(start, values, places, after)


def _stated_bits(tags: dict[int, Any], bits: int) -> int | None:
    """The depth by the largest value, or by the description of an OME-TIFF, if it is smaller than that of the samples.

    Programs that do not know it write that of the samples.
    """
    stated = max(tags.get(TIFF_MOST, (0,))).bit_length()
    if found := re.search(rb'SignificantBits="(\d{1,2})"', tags.get(TIFF_TEXT, b"")):
        stated = int(found[1])
    return stated if 8 <= stated < bits else None


def _no_data(tags: dict[int, Any]) -> float | None:
    try:
        return float(tags.get(TIFF_NO_DATA, b"").rstrip(b"\0 "))
    except ValueError:
        return None


_READERS: tuple[tuple[bytes, int, Callable[[bytes], Frame | None]], ...] = (
    (b"\x89PNG\r\n\x1a\n", 0, _png),
    (b"\xff\xd8\xff", 0, _jpeg),
    (b"WEBP", 8, _webp),
    (b"BM", 0, _bmp),
    *((start, 0, _tiff) for start in TIFF_STARTS),
)
"""(signature, the byte at which it stands, reader of the size)."""
