"""COCO masks (compressed RLE, uncompressed RLE, polygons) to and from :class:`BoxMask`, in the mask's box only.

COCO's runs go down the columns of the frame, beginning with background. The compressed string holds each run as
groups of 5 bits, the lowest group first; bit 5 of a character marks that another group follows. From the fourth run
on, the string holds the difference to the run two before. This is the format of pycocotools' maskApi; it is decoded
here because pycocotools does not check the lengths.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from bpr.compiled import kernels
from bpr.errors import BadMask, shown
from bpr.geometry.masks import BoxMask
from bpr.limits import LARGEST_FRAME, LARGEST_SIDE, LONGEST_OUTLINE, frame_from, is_frame, outline_length, side_from, whole

INCOMPLETE = "RLE counts: expected a complete COCO counts string, got characters outside it or a cut end"
TOO_LONG = "RLE counts: a run of more than 2^31 pixels"
"""The errors of a counts string, which the compiled and the plain decoder share."""


def decode_mask(segmentation: Any, frame: tuple[int, int] | None = None) -> BoxMask:
    """Decode a COCO segmentation.

    Args:
        segmentation: an RLE object (``counts`` is a string, bytes or a list) or a list of polygons.
        frame: (H, W) of the image; required for polygons, and compared with the size of an RLE.

    Raises:
        BadMask: the segmentation is malformed, its runs do not fill the frame, or its size is not the image's.
    """
    runs, size = _runs_and_size(segmentation, frame)
    return _paint(runs, *size)


def _runs_and_size(segmentation: Any, frame: tuple[int, int] | None) -> tuple[np.ndarray, tuple[int, int]]:
    """The runs, beginning with background, and the (H, W) that they fill."""
    if isinstance(segmentation, dict):
        return _read_rle(segmentation, frame)
    if isinstance(segmentation, list):
        return _read_polygons(segmentation, frame)
    raise BadMask(f"segmentation: expected an RLE object or a list of polygons, got {type(segmentation).__name__}")


def compress(segmentation: Any, frame: tuple[int, int] | None = None) -> tuple[dict[str, Any], int]:
    """A segmentation as compressed RLE, and its area in pixels; no pixels are painted.

    An RLE that is compressed already, with a size of integers, is returned unchanged.

    Raises:
        BadMask: as for :func:`decode_mask`.

    >>> compress({"size": [3, 3], "counts": [0, 1, 3, 1, 3, 1]})
    ({'size': [3, 3], 'counts': '013000'}, 3)
    """
    runs, size = _runs_and_size(segmentation, frame)
    area = int(runs[1::2].sum())
    if isinstance(segmentation, dict) and isinstance(segmentation.get("counts"), str):
        given = all(type(side) is int for side in segmentation["size"])
        return segmentation if given else {**segmentation, "size": list(size)}, area
    return _compressed(runs, size), area


def encode_mask(mask: BoxMask) -> dict[str, Any]:
    """Compressed RLE ``{"size": [H, W], "counts": str}``, equal to that of pycocotools.

    Raises:
        ValueError: the mask's box reaches beyond its frame.

    >>> encode_mask(BoxMask.from_frame(np.eye(3, dtype=bool)))
    {'size': [3, 3], 'counts': '013000'}
    """
    left, top, right, bottom = mask.box
    if min(left, top) < 0 or bottom > mask.frame[0] or right > mask.frame[1]:
        size = f"{mask.frame[0]}x{mask.frame[1]} (height x width)"
        raise ValueError(f"mask: expected a box inside its frame of {size}, got {mask.box}")
    if mask.pixels.size and (compiled := kernels()):
        text = compiled.counts_string(cv2.transpose(mask.pixels.view(np.uint8)), mask.left, mask.top, *mask.frame)
        return {"size": list(mask.frame), "counts": text.tobytes().decode("ascii")}
    return _compressed(_runs_of(mask), mask.frame)


def _compressed(runs: np.ndarray, size: tuple[int, int]) -> dict[str, Any]:
    rle = coco_mask.frPyObjects({"size": list(size), "counts": runs.tolist()}, *size)
    return {"size": list(size), "counts": rle["counts"].decode("ascii")}


def string_to_runs(text: str | bytes) -> np.ndarray:
    """(n,) int64 runs of a compressed counts string.

    >>> string_to_runs("013000").tolist()
    [0, 1, 3, 1, 3, 1]
    """
    try:
        characters = np.frombuffer(text.encode("ascii") if isinstance(text, str) else text, np.uint8)
    except UnicodeEncodeError:
        raise BadMask("RLE counts: expected ASCII, got other characters") from None
    if compiled := kernels():
        runs, verdict = compiled.parsed_runs(characters.copy())  # writable, as the compiled loop takes it
        if verdict:
            raise BadMask(INCOMPLETE if verdict == compiled.BROKEN else TOO_LONG)
        return runs
    code = characters.astype(np.int64) - 48
    if not code.size:
        return np.zeros(0, np.int64)
    if code.min() < 0 or code.max() > 63 or code[-1] & 0x20:
        raise BadMask(INCOMPLETE)
    values, _ = group_values(code)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def row_runs(pixels: np.ndarray) -> list[int]:
    """The runs of (h, w) bool along the rows, first of the background. COCO's go down the columns.

    >>> row_runs(np.array([[0, 1], [1, 1]], bool))
    [1, 3]
    """
    flat = pixels.ravel()
    ends = [*(np.flatnonzero(flat[1:] != flat[:-1]) + 1).tolist(), flat.size]
    runs: list[int] = np.diff(ends, prepend=0).tolist()
    return [0, *runs] if flat[0] else runs


def group_values(code: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The numbers in the 6-bit codes of a counts string, and the index of the last code of each.

    From the fourth on, the numbers of a string are differences to the run two before.
    """
    last = np.flatnonzero((code & 0x20) == 0)
    first = np.concatenate([[0], last[:-1] + 1])
    length = last - first + 1
    if length.max() > 7:
        raise BadMask(TOO_LONG)
    shift = 5 * (np.arange(code.size) - np.repeat(first, length))
    values = np.add.reduceat((code & 0x1F) << shift, first)
    values -= np.where(code[last] & 0x10, np.int64(1) << (5 * length), 0)
    return values, last


def frame_of(segmentation: Any) -> tuple[int, int] | None:
    """The (H, W) in an RLE, unchecked; None for polygons, which have no size."""
    size = segmentation.get("size") if isinstance(segmentation, dict) else None
    return (size[0], size[1]) if isinstance(size, (list, tuple)) and len(size) == 2 else None


def checked_frame(segmentation: Any) -> tuple[int, int] | None:
    """The (H, W) in an RLE; None where there is none, or no possible one."""
    return frame_from(*frame_of(segmentation) or (0, 0))


def has_mask(segmentation: Any) -> bool:
    """Whether a segmentation says where an object is; what it says may still be malformed.

    An object with a box alone has none: the segmentation is missing, a list without a polygon of three points, or an
    RLE without runs or of size 0.

    >>> [has_mask(segmentation) for segmentation in (None, [], [[]], [[9, 9, 20, 20]], {"size": [0, 0], "counts": ""})]
    [False, False, False, False, False]
    >>> has_mask([[9, 9, 20, 20], [0, 0, 4, 0, 4, 3]]), has_mask({"size": [3, 3], "counts": "013000"})
    (True, True)
    >>> has_mask([[0, 0], [4, 0], [4, 3]])  # the points of a polygon as pairs
    True
    """
    if isinstance(segmentation, dict) and "counts" in segmentation:
        return bool(segmentation["counts"]) and 0 not in (frame_of(segmentation) or ())
    if not isinstance(segmentation, list):
        return bool(segmentation)
    return _are_pairs(segmentation) or not all(map(_is_too_short, segmentation))


def _is_too_short(ring: Any) -> bool:
    """Whether a part of a polygon has fewer than three points, so that nothing lies inside."""
    return ring is None or (isinstance(ring, list) and len(ring) < 6)


def _are_pairs(polygons: list[Any]) -> bool:
    """Whether what should be the parts of a polygon are its points, three or more."""
    return len(polygons) > 2 and all(isinstance(point, list) and len(point) == 2 for point in polygons)


def _read_rle(rle: dict[str, Any], frame: tuple[int, int] | None) -> tuple[np.ndarray, tuple[int, int]]:
    height, width = _checked_size(rle.get("size"), frame)
    counts = rle.get("counts")
    if isinstance(counts, (str, bytes)):
        runs = string_to_runs(counts)
    elif isinstance(counts, list):
        runs = _listed_runs(counts)
    else:
        raise BadMask(f"RLE counts: expected a string or a list of whole numbers, got {type(counts).__name__}")
    if (runs < 0).any() or (runs > height * width).any() or runs.sum() != height * width:
        raise BadMask(f"RLE counts: expected runs that fill {height}x{width} pixels, got a sum of {runs.sum()}")
    return runs, (height, width)


def _listed_runs(counts: list[Any]) -> np.ndarray:
    """(n,) int64 runs of uncompressed counts."""
    numbers = counts if all(type(count) is int for count in counts) else list(map(whole, counts))
    if None in numbers:
        raise BadMask(f"RLE counts: expected whole numbers, got {shown(counts[numbers.index(None)])}")
    try:
        return np.array(numbers, np.int64)
    except OverflowError:
        raise BadMask("RLE counts: a run of more than 2^63 pixels") from None


def _paint(runs: np.ndarray, height: int, width: int) -> BoxMask:
    """Paint the runs into the tight box of the foreground."""
    frame = height, width
    if compiled := kernels():
        columns, left, top = compiled.painted(np.ascontiguousarray(runs, np.int64), height)
        return BoxMask(cv2.transpose(columns).view(bool), left, top, frame) if columns.size else BoxMask.empty(frame)
    ends = np.cumsum(runs)
    starts, stops = (ends - runs)[1::2], ends[1::2]
    filled = stops > starts
    starts, stops = starts[filled], stops[filled]
    if not starts.size:
        return BoxMask.empty(frame)
    columns, rows = np.divmod(starts, height)
    last_rows = rows + (stops - starts) - 1
    # A run that continues in the next column touches both the bottom and the top of the frame.
    wraps = bool(last_rows.max() >= height)
    top, bottom = (0, height) if wraps else (int(rows.min()), int(last_rows.max()) + 1)
    left, right = int(columns[0]), int(stops[-1] - 1) // height + 1
    side = bottom - top
    first = (columns - left) * side + rows - top
    edges = np.empty(2 * first.size + 2, np.int64)
    edges[0], edges[1:-1:2], edges[2:-1:2], edges[-1] = 0, first, first + stops - starts, (right - left) * side
    values = np.arange(edges.size - 1) % 2 == 1
    by_column = np.repeat(values, edges[1:] - edges[:-1]).reshape(right - left, side)
    return BoxMask(cv2.transpose(by_column.view(np.uint8)).view(bool), left, top, frame)


def _runs_of(mask: BoxMask) -> np.ndarray:
    """The runs of a mask in its frame, beginning with background, from the pixels of its box alone."""
    height, width = mask.frame
    rows, columns = mask.pixels.shape
    padded = np.zeros((rows + 2, columns), bool)
    padded[1:-1] = mask.pixels
    row, column = np.divmod(np.flatnonzero(padded[1:] != padded[:-1]), columns or 1)
    if not row.size:
        return np.array([height * width], np.int64)
    edges = np.sort((column + mask.left) * height + row + mask.top)
    if rows == height:
        # A run that ends at the bottom of a column and one that starts at the top of the next column are one run.
        joined = np.flatnonzero(edges[1:-1:2] == edges[2::2]) * 2 + 1
        edges = np.delete(edges, np.concatenate([joined, joined + 1]))
    runs = np.diff(edges, prepend=0)
    rest = height * width - int(edges[-1])
    return np.append(runs, rest) if rest else runs


def _read_polygons(polygons: list[Any], frame: tuple[int, int] | None) -> tuple[np.ndarray, tuple[int, int]]:
    if frame is None:
        raise BadMask("polygons: expected the size of their image with them, got none")
    if polygons and all(type(value) in (int, float) for value in polygons):
        got = f"one flat polygon {shown(polygons)}"
        raise BadMask(f"polygons: expected a list of polygons [[x, y, ...], ...], got {got}; put it into a list")
    if _are_pairs(polygons):
        got = f"points as pairs {shown(polygons)}"
        raise BadMask(f"polygons: expected a list of polygons [[x, y, x, y, ...], ...], got {got}; write all points into one list")
    height, width = _checked_size(frame, None)
    rings = []
    # A part of one or two points beside a good one is a stray click.
    for ring in [ring for ring in polygons if not _is_too_short(ring)] or polygons:
        numbers = isinstance(ring, list) and all(type(value) in (int, float) for value in ring)
        if not numbers or len(ring) < 6 or len(ring) % 2:
            raise BadMask(f"polygon: expected a list of 6 or more numbers x, y, x, y, ..., got {shown(ring)}")
        # Python comparisons: they are false for NaN, and an integer beyond the range of floats does not raise.
        if not all(abs(value) <= LARGEST_SIDE for value in ring):
            raise BadMask("polygon: expected finite coordinates near the image, got others")
        rings.append(ring)
    if sum(map(outline_length, rings)) > LONGEST_OUTLINE:
        raise BadMask(f"polygons: expected an outline of at most {LONGEST_OUTLINE} pixels, got a longer one")
    if not rings:
        return np.array([height * width], np.int64), (height, width)
    merged = coco_mask.merge(coco_mask.frPyObjects(rings, height, width))
    return string_to_runs(merged["counts"]), (height, width)


def _checked_size(size: Any, frame: tuple[int, int] | None) -> tuple[int, int]:
    sides = [side_from(side) for side in size] if isinstance(size, (list, tuple)) else []
    if len(sides) != 2 or sides[0] is None or sides[1] is None:
        raise BadMask(f"RLE size: expected [height, width], got {shown(size)}")
    height, width = sides[0], sides[1]
    if not is_frame(height, width):
        limits = f"sides of 1..{LARGEST_SIDE} pixels and at most {LARGEST_FRAME} in all"
        raise BadMask(f"RLE size: expected {limits}, got {shown(height)}x{shown(width)}")
    if frame is not None and (height, width) != tuple(frame):
        raise BadMask(f"mask size: expected the image's {frame[0]}x{frame[1]} (height x width), got {height}x{width}")
    return height, width
