"""Check many compressed masks at once: for a hundred thousand masks, numpy calls on each one would take too long.

Legend: N strings, V runs of all of them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bpr.errors import BadMask
from bpr.geometry.rle import compress, group_values
from bpr.limits import is_frame

CHUNK = 512
"""Strings that are decoded together, which bounds the memory."""

Frame = tuple[int, int]


def compress_all(
    segmentations: Sequence[Any], frames: Sequence[Frame | None]
) -> list[tuple[dict[str, Any], int] | None]:
    """:func:`bpr.geometry.rle.compress` for every segmentation; None for each one that raises a BadMask.

    Args:
        segmentations: N segmentations of any kind.
        frames: (H, W) of the image of each; None where it is unknown, which polygons do not allow.
    """
    compressed: list[tuple[dict[str, Any], int] | None] = []
    for start in range(0, len(segmentations), CHUNK):
        part = list(zip(segmentations[start : start + CHUNK], frames[start : start + CHUNK], strict=True))
        is_string = [_is_string(segmentation, frame) for segmentation, frame in part]
        strings = [item for item, flag in zip(part, is_string, strict=True) if flag]
        pixels = np.array([frame[0] * frame[1] for _, frame in strings if frame], np.int64)
        areas = iter(string_areas([segmentation["counts"] for segmentation, _ in strings], pixels).tolist())
        for (segmentation, frame), flag in zip(part, is_string, strict=True):
            area = next(areas) if flag else -1
            if area >= 0:
                compressed.append((segmentation, area))
                continue
            try:
                compressed.append(compress(segmentation, frame))
            except BadMask:
                compressed.append(None)
    return compressed


def _is_string(segmentation: Any, frame: Frame | None) -> bool:
    """Whether the segmentation is a compressed RLE of an image of this size, which :func:`string_areas` can check."""
    if frame is None or not isinstance(segmentation, dict) or not isinstance(segmentation.get("counts"), str):
        return False
    size = segmentation.get("size")
    return size == list(frame) and all(type(side) is int for side in size) and is_frame(*frame)


def string_areas(counts: Sequence[str], pixels: np.ndarray) -> np.ndarray:
    """(N,) areas of counts strings whose runs add up to ``pixels``; -1 for a string that is wrong or was not decoded.

    One malformed string prevents the decoding of all: its codes would be taken for those of its neighbours.

    Args:
        counts: N strings.
        pixels: (N,) height times width of each image.

    >>> string_areas(["013000", "013", "9"], np.array([9, 9, 9])).tolist()
    [3, -1, 0]
    """
    undecoded = np.full(len(counts), -1)
    lengths = np.array([len(text) for text in counts], int)
    if not lengths.all() or not lengths.size:
        return undecoded
    ends = np.cumsum(lengths)
    try:
        code = np.frombuffer("".join(counts).encode("ascii"), np.uint8).astype(np.int64) - 48
        if code.min() < 0 or code.max() > 63 or (code[ends - 1] & 0x20).any():
            return undecoded
        values, last = group_values(code)
    except (UnicodeEncodeError, BadMask):
        return undecoded
    firsts = np.searchsorted(last, ends - lengths)
    # (V,) the index of every run in its own string: even for background, odd for foreground.
    number = np.arange(values.size) - np.repeat(firsts, np.diff(firsts, append=values.size))
    for first in (1, 2):
        # From the fourth run on, the values are differences to the run two before: running sums that restart in every string.
        chosen = np.flatnonzero((number % 2 == first % 2) & (number > 0))
        sums, starts = np.cumsum(values[chosen]), np.flatnonzero(number[chosen] == first)
        values[chosen] = sums - np.repeat(sums[starts] - values[chosen[starts]], np.diff(starts, append=chosen.size))
    wrong = np.logical_or.reduceat(values < 0, firsts) | (np.add.reduceat(values, firsts) != pixels)
    return np.where(wrong, -1, np.add.reduceat(values * (number % 2), firsts))
