"""PNG photos by kornia-rs where it is installed (the [png] extra), in less than half of OpenCV's time.

Only where both must give the same pixels: 8-bit colours, not interlaced, with nothing beside them that a decoder may act on.
Everything else is OpenCV's, and so is a file that the checksums of its chunks tell to be damaged.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from types import ModuleType

import numpy as np

from bpr.formats.image_header import Frame

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PLAIN_HEADER = bytes([8, 2, 0, 0, 0])
"""8 bits, colours, the one compression, the one filter method, not interlaced: the header's bytes after the size."""
INERT = {b"IHDR", b"IDAT", b"IEND", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"pHYs", b"tEXt", b"zTXt", b"iTXt", b"tIME"}
"""Chunks that change no pixel: neither transparency nor orientation nor animation."""


def decode_plain_png(content: bytes, frame: Frame) -> np.ndarray | None:
    """(H, W, 3) uint8 RGB; None where OpenCV has to decode.

    Args:
        content: of the file.
        frame: (H, W) that its header states.
    """
    if not is_plain(content) or (library := _library()) is None:
        return None
    try:
        return library.io.decode_image_png_u8(content, frame, "rgb")
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # it raises nothing finer, and a panic in Rust is no Exception; OpenCV may read what it refuses
        return None


def is_plain(content: bytes) -> bool:
    """Whether a file is a PNG that every decoder reads alike."""
    return content.startswith(SIGNATURE) and content[24:29] == PLAIN_HEADER and set(_chunk_names(content)) <= INERT


def _chunk_names(content: bytes) -> Iterator[bytes]:
    place = len(SIGNATURE)
    while place + 8 <= len(content):
        length, name = struct.unpack_from(">I4s", content, place)
        yield name
        place += 12 + length


@cache
def _library() -> ModuleType | None:
    try:
        import kornia_rs.io
    except ImportError:
        return None
    return kornia_rs
