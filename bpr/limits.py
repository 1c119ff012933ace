"""How much a file may ask for: what lies beyond is refused in one line, before time or memory is spent on it.

Each limit is several times what real data need (in brackets), and far below what a hostile file can spell in a few bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from bpr.errors import BPRError, shown

LARGEST_SIDE = 100_000
"""Pixels along one side of an image or mask, and polygon coordinates."""
LARGEST_FRAME = 2**29
"""Pixels of an image or mask (20,000 x 20,000 are 4e8): half of what OpenCV decodes; as RGB 1.6 GB."""
DENSEST = 8 * 1032
"""Pixels that a byte of an image file holds at best: deflate shrinks to a 1032nd, eight 1-bit pixels share a byte."""
SMALL_FRAME = 2**24
"""Pixels up to which an image file may be denser than that, as a picture of one colour is in WebP."""
LARGEST_FILE = 2**32
"""Bytes of one image file: 8 for every pixel of the largest frame."""
LONGEST_OUTLINE = 2**21
"""Pixels along all polygons of one mask (a square of 20,000 has 80,000). pycocotools holds some 50 bytes for each, unchecked."""
LARGEST_TEXT = 2**25
"""Bytes of a label file of one image: 300 instances of 1,000 points take 7 MB."""
LONGEST_ROW = 2**20
"""Characters of one line of it: 50,000 points."""
DEEPEST_JSON = 64
"""Lists and objects inside each other (COCO has 5): a deeper one may be read and then not be written."""
LARGEST_VALUE = 2**25
"""Characters of one record in JSON: the longest outline in numbers of eight."""
MOST_CATEGORIES = 2**15
"""Classes of a data set (LVIS 1,203, V3Det 13,204): a table of AP has 16,000 numbers for each."""


def is_id(value: object) -> bool:
    """Whether ``value`` can name an image or a class: a whole number or a text; True is no 1, NaN is not even itself.

    >>> [is_id(value) for value in (7, "a", 7.0, True, float("nan"), [7], None)]
    [True, True, True, False, False, False, False]
    """
    return type(value) in (int, str) or (type(value) is float and value.is_integer())


def is_score(value: object) -> bool:
    """Whether ``value`` can rank a detection: a number that a float can hold; True, NaN and infinity are none.

    >>> [is_score(value) for value in (0.5, 1, True, float("nan"), 10**400, "hi", None)]
    [True, True, False, False, False, False, False]
    """
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def is_frame(height: int, width: int) -> bool:
    """Whether an image may have this size."""
    return 0 < height <= LARGEST_SIDE and 0 < width <= LARGEST_SIDE and height * width <= LARGEST_FRAME


def check_depth(value: Any, where: object) -> None:
    """Raise a BPRError where lists and objects lie too deep in each other.

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
    """Raise a BPRError unless the ``categories`` of an annotation file, if it has any, are objects with an id each."""
    categories = document.get("categories", [])
    if not isinstance(categories, list) or len(categories) > MOST_CATEGORIES:
        count = len(categories) if isinstance(categories, list) else shown(categories)
        raise BPRError(f"{where}: categories: expected a list of at most {MOST_CATEGORIES}, got {count}")
    for category in categories:
        if not isinstance(category, dict) or not is_id(category.get("id")):
            raise BPRError(f"{where}: categories: expected objects with an id, a number or a text, got {shown(category)}")


def is_full(height: int, width: int, size: int) -> bool:
    """Whether ``size`` bytes of a file can hold an image of this size.

    >>> is_full(20_000, 20_000, 49_000), is_full(20_000, 20_000, 300)
    (True, False)
    """
    return height * width <= max(SMALL_FRAME, size * DENSEST)


def outline_length(ring: list[float]) -> float:
    """Pixels along a closed polygon x, y, x, y, ..., at least one for every point.

    >>> outline_length([0, 0, 4, 0, 4, 3, 0, 3])
    14
    """
    steps = zip(ring[::2], ring[1::2], ring[2::2] + ring[:1], ring[3::2] + ring[1:2], strict=True)
    return sum(max(abs(x1 - x0), abs(y1 - y0), 1) for x0, y0, x1, y1 in steps)
