"""Many compressed masks checked at once: a results file has a hundred thousand of them, and each is a few numpy calls alone.

Legend: N strings, V run lengths of all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bpr.errors import BadMask
from bpr.geometry.rle import compress, group_values
from bpr.limits import is_frame

CHUNK = 512
"""Strings at a time; what is held of them stays small."""

Frame = tuple[int, int]


def compress_all(segmentations: Sequence[Any], frames: Sequence[Frame]) -> list[tuple[dict[str, Any], int] | None]:
    """:func:`bpr.geometry.rle.compress` of every segmentation; None for one that cannot be read."""
    found: list[tuple[dict[str, Any], int] | None] = []
    for start in range(0, len(segmentations), CHUNK):
        part = list(zip(segmentations[start : start + CHUNK], frames[start : start + CHUNK], strict=True))
        quick = [_is_string(segmentation, frame) for segmentation, frame in part]
        areas = iter(string_areas([item[0]["counts"] for item, own in zip(part, quick, strict=True) if own], _pixels(part, quick)).tolist())
        for (segmentation, frame), own in zip(part, quick, strict=True):
            area = next(areas) if own else -1
            found.append((segmentation, area) if area >= 0 else _alone(segmentation, frame))
    return found


def _is_string(segmentation: Any, frame: Frame) -> bool:
    """Whether it is a compressed mask of an image of this size: what :func:`string_areas` can judge."""
    if not isinstance(segmentation, dict) or not isinstance(segmentation.get("counts"), str):
        return False
    return segmentation.get("size") == list(frame) and is_frame(*frame)


def _pixels(part: Sequence[tuple[Any, Frame]], quick: Sequence[bool]) -> np.ndarray:
    return np.array([height * width for (_, (height, width)), own in zip(part, quick, strict=True) if own], np.int64)


def _alone(segmentation: Any, frame: Frame) -> tuple[dict[str, Any], int] | None:
    try:
        return compress(segmentation, frame)
    except BadMask:
        return None


def string_areas(counts: Sequence[str], pixels: np.ndarray) -> np.ndarray:
    """(N,) areas of counts strings that fill ``pixels``; -1 for one that does not, or may not.

    >>> string_areas(["013000", "013", "9"], np.array([9, 9, 9])).tolist()
    [3, -1, 0]
    """
    nobody = np.full(len(counts), -1)
    lengths = np.array([len(text) for text in counts], int)
    if not lengths.all() or not lengths.size:
        return nobody
    ends = np.cumsum(lengths)
    try:
        code = np.frombuffer("".join(counts).encode("ascii"), np.uint8).astype(np.int64) - 48
        if code.min() < 0 or code.max() > 63 or (code[ends - 1] & 0x20).any():
            return nobody  # one of them spoils its neighbours
        values, last = group_values(code)
    except (UnicodeEncodeError, BadMask):
        return nobody
    firsts = np.searchsorted(last, ends - lengths)
    place = np.arange(values.size) - np.repeat(firsts, np.diff(firsts, append=values.size))
    for parity in (0, 1):
        _add_up(values, np.flatnonzero((place % 2 == parity) & (place > 0)), firsts)
    wrong = np.logical_or.reduceat(values < 0, firsts) | (np.add.reduceat(values, firsts) != pixels)
    return np.where(wrong, -1, np.add.reduceat(values * (place % 2), firsts))


def _add_up(values: np.ndarray, chosen: np.ndarray, firsts: np.ndarray) -> None:
    """Replace the chosen of the (V,) differences by their running sum, begun anew in every string."""
    if not chosen.size:
        return
    sums = np.cumsum(values[chosen])
    owners = np.searchsorted(firsts, chosen, side="right")
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    before = np.repeat(sums[starts] - values[chosen[starts]], np.diff(starts, append=chosen.size))
    values[chosen] = sums - before
