"""Label Studio's brush: an image of four bytes per pixel, in a packed form of runs.

The packed form is a stream of bits, the highest of every byte first. Its head is the count of values (32 bits), the
bits of a value less one (5), and four lengths of length fields less one (4 each). Then follow groups: a bit that tells
a run of one value (1) from a list of values (0), two bits that choose the length field, the count less one in that many
bits, and the value or values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bpr.errors import BadMask
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import row_runs
from bpr.limits import is_frame

CHANNELS = 4
"""Red, green, blue and opacity; the opacity is the mask."""
OPAQUE = 127
"""Opacity above which a pixel is foreground."""
FIELDS = (3, 4, 8, 16)
"""Bits of the four length fields that Label Studio writes."""
HEAD = 32 + 5 + 4 * len(FIELDS)
BROKEN = "brush RLE: expected Label Studio's packed runs of the image's size, got others"


def decode_brush(rle: Any, frame: tuple[int, int]) -> BoxMask:
    """The mask of a brush region.

    Args:
        rle: the numbers 0..255 in ``value.rle``.
        frame: (H, W) of the image.

    Raises:
        BadMask: they are no packed runs, or not of this size.

    >>> decode_brush(encode_brush(BoxMask.from_frame(np.eye(2))), (2, 2)).area
    2
    """
    try:
        content = bytes(rle)
    except (TypeError, ValueError):
        raise BadMask(BROKEN) from None
    size = CHANNELS * frame[0] * frame[1]
    if not is_frame(*frame) or len(content) * 8 < HEAD or int.from_bytes(content[:4], "big") != size:
        raise BadMask(BROKEN)
    bits = _Bits(content)
    bits.position = 32
    word = bits.read(5) + 1
    fields = [bits.read(4) + 1 for _ in FIELDS]
    opaque = np.zeros(frame[0] * frame[1], bool)
    filled = 0
    while filled < size:
        is_run = bits.read(1)
        end = filled + bits.read(fields[bits.read(2)]) + 1
        if end > size:
            raise BadMask(BROKEN)
        # The opacity of pixel p is value 4 p + 3.
        pixels = slice(filled // CHANNELS, end // CHANNELS)
        if is_run:
            opaque[pixels] = bits.read(word) > OPAQUE
        else:
            opaque[pixels] = bits.read_many(word, end - filled)[-(filled + 1) % CHANNELS :: CHANNELS] > OPAQUE
        filled = end
    return BoxMask.from_frame(opaque.reshape(frame))


class _Bits:
    """A position in a stream of bits."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.position = 0

    def read(self, count: int) -> int:
        """The next number of ``count`` bits."""
        end = self.position + count
        if end > len(self._content) * 8:
            raise BadMask(BROKEN)
        around = int.from_bytes(self._content[self.position // 8 : -(-end // 8)], "big")
        self.position = end
        return around >> (-end % 8) & ((1 << count) - 1)

    def read_many(self, bits: int, count: int) -> np.ndarray:
        """(count,) the lower bytes of the next numbers of ``bits`` bits each."""
        start, end = self.position, self.position + bits * count
        if end > len(self._content) * 8:
            raise BadMask(BROKEN)
        self.position = end
        around = np.frombuffer(self._content[start // 8 : -(-end // 8)], np.uint8)
        each = np.unpackbits(around)[start % 8 :][: bits * count].reshape(count, bits)
        return np.packbits(each[:, -8:], axis=1)[:, 0] >> max(0, 8 - bits)


def encode_brush(mask: BoxMask) -> list[int]:
    """The numbers of ``value.rle`` for a mask: all four bytes of a pixel are 255 in the mask and 0 elsewhere."""
    head = f"{CHANNELS * mask.frame[0] * mask.frame[1]:032b}{7:05b}{''.join(f'{field - 1:04b}' for field in FIELDS)}"
    groups = [head]
    for number, count in enumerate(row_runs(mask.to_frame())):
        groups += _run(CHANNELS * count, 255 * (number % 2))
    text = "".join(groups)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))


def _run(count: int, value: int) -> Sequence[str]:
    """The groups of one run: whole ones of the longest field, and the rest in the shortest field that holds it."""
    longest = 1 << FIELDS[-1]
    whole, rest = divmod(count, longest)
    groups = [f"111{longest - 1:0{FIELDS[-1]}b}{value:08b}"] * whole
    if rest:
        field = next(index for index, bits in enumerate(FIELDS) if rest <= 1 << bits)
        groups.append(f"1{field:02b}{rest - 1:0{FIELDS[field]}b}{value:08b}")
    return groups
