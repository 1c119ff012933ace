"""Limits for input files: anything larger is refused with one line before time or memory is spent on it.

Each limit is several times what real data need (in brackets), and far below the sizes that a hostile file of a few
bytes can claim.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

from bpr.errors import BPRError, shown

LARGEST_SIDE = 100_000
"""Pixels along one side of an image or mask, and the largest coordinate of a polygon."""
LARGEST_FRAME = 2**29
"""Pixels of an image or mask (20,000 x 20,000 are 4e8): half of OpenCV's own limit, and 1.6 GB as RGB."""
DENSEST = 8 * 1032
"""Pixels that a byte of an image file can encode: eight 1-bit pixels share a byte, and deflate shrinks 1032 times."""
SMALL_FRAME = 2**24
"""Pixels up to which an image file may be denser than that, as an image of one colour is in WebP."""
LARGEST_FILE = 2**32
"""Bytes of one image file: eight for every pixel of the largest frame."""
LONGEST_OUTLINE = 2**21
"""Pixels along all polygons of one mask (a square of 20,000 has 80,000).

pycocotools allocates about 50 bytes for each of them without a check.
"""
LARGEST_TEXT = 2**25
"""Bytes of the label file of one image (300 instances of 1,000 points take 7 MB)."""
LONGEST_ROW = 2**20
"""Characters of one line of a label file: 50,000 points."""
DEEPEST_JSON = 64
"""Depth of nested lists and objects in JSON (COCO has 5): Python may read a deeper one and then fail to write it."""
LARGEST_VALUE = 2**25
"""Characters of one JSON value: the longest outline in numbers of eight characters."""
MOST_CATEGORIES = 2**15
"""Classes of a data set (LVIS has 1,203, V3Det 13,204): the tables of AP hold 16,000 numbers for each."""


def is_id(value: object) -> bool:
    """Whether ``value`` can identify an image or a class: a whole number or a string, but not a bool.

    >>> [is_id(value) for value in (7, "a", 7.0, True, float("nan"), [7], None)]
    [True, True, True, False, False, False, False]
    """
    return type(value) in (int, str) or (type(value) is float and value.is_integer())


def is_score(value: object) -> bool:
    """Whether ``value`` can be the score of a detection: a finite number that fits a float, and not a bool.

    >>> [is_score(value) for value in (0.5, 1, True, float("nan"), 10**400, "hi", None)]
    [True, True, False, False, False, False, False]
    """
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def whole(value: object) -> int | None:
    """The whole number that ``value`` is, whatever its type; None for everything else, also for a bool.

    >>> [whole(value) for value in (7, 7.0, 7.5, "7", True, None, float("inf"))]
    [7, 7, None, None, None, None, None]
    """
    if type(value) is int:
        return value
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    if isinstance(value, Integral):
        return int(value)
    return int(float(value)) if float(value).is_integer() else None


def side_from(value: object) -> int | None:
    """The whole number of pixels that ``value`` is or, as a text, spells; None for everything else.

    >>> [side_from(value) for value in (640.0, "640", "640.0", "wide", "", None)]
    [640, 640, 640, None, None, None]
    """
    try:
        return whole(float(value) if isinstance(value, str) else value)
    except ValueError:
        return None


def frame_from(height: object, width: object) -> tuple[int, int] | None:
    """(H, W) of two numbers in pixels; None where they are no possible size, as -1, 0 and null are.

    >>> frame_from(480.0, "640"), frame_from(-1, -1), frame_from(None, 640)
    ((480, 640), None, None)
    """
    rows, columns = side_from(height), side_from(width)
    return (rows, columns) if rows is not None and columns is not None and is_frame(rows, columns) else None


def is_frame(height: int, width: int) -> bool:
    """Whether an image or mask may have this size in pixels."""
    return 0 < height <= LARGEST_SIDE and 0 < width <= LARGEST_SIDE and height * width <= LARGEST_FRAME


def check_depth(value: Any, where: object) -> None:
    """Raise a BPRError where lists and objects are nested too deeply; ``where`` names the file.

    >>> check_depth([{"a": [[1, 2], [3, 4]]}], "results.json")
    """
    level = [value]
    for _ in range(DEEPEST_JSON + 1):
        inner = (item.values() if isinstance(item, dict) else item for item in level if isinstance(item, (dict, list)))
        level = [item for items in inner for item in items if isinstance(item, (dict, list))]
        if not level:
            return
    raise BPRError(f"{where}: expected JSON of at most {DEEPEST_JSON} lists and objects inside each other, got more")


def check_categories(document: Mapping[str, Any], where: object) -> None:
    """Raise a BPRError unless each of an annotation file's ``categories``, if it has any, is an object with an id.

    An id that is listed twice has one name.
    """
    categories = document.get("categories", [])
    if not isinstance(categories, list) or len(categories) > MOST_CATEGORIES:
        count = len(categories) if isinstance(categories, list) else shown(categories)
        raise BPRError(f"{where}: categories: expected a list of at most {MOST_CATEGORIES}, got {count}")
    for category in categories:
        if not isinstance(category, dict) or not is_id(category.get("id")):
            wanted = "expected objects with an id, a number or a string"
            raise BPRError(f"{where}: categories: {wanted}, got {shown(category)}")
    names: dict[Any, Any] = {}
    for category in categories:
        name = category.get("name")
        if (other := names.setdefault(category["id"], name)) != name:
            got = f"{shown(other)} and {shown(name)}"
            raise BPRError(f"{where}: categories: expected one name of id {shown(category['id'])}, got {got}; correct one")


def category_name(category: Mapping[str, Any]) -> str:
    """The name of a class; one without a name, or with an empty one, is called by its id.

    >>> [category_name({"id": 3, **name}) for name in ({"name": "car"}, {"name": 7}, {"name": None}, {"name": " "}, {})]
    ['car', '7', '3', '3', '3']
    """
    name = category.get("name")
    return str(name) if name is not None and str(name).strip() else str(category["id"])


def bytes_can_encode(height: int, width: int, size: int) -> bool:
    """Whether an image file of ``size`` bytes can hold this many pixels.

    >>> bytes_can_encode(20_000, 20_000, 49_000), bytes_can_encode(20_000, 20_000, 300)
    (True, False)
    """
    return height * width <= max(SMALL_FRAME, size * DENSEST)


def outline_length(ring: list[float]) -> float:
    """Length in pixels of a closed polygon ``[x, y, x, y, ...]``; every point counts as at least one pixel.

    >>> outline_length([0, 0, 4, 0, 4, 3, 0, 3])
    14
    """
    steps = zip(ring[::2], ring[1::2], ring[2::2] + ring[:1], ring[3::2] + ring[1:2], strict=True)
    return sum(max(abs(x1 - x0), abs(y1 - y0), 1) for x0, y0, x1, y1 in steps)
