"""The lines of YOLO label files: ``class x y x y ...``, then possibly a score, a track's id, or a score and an id.

Whether a line ends with an id is decided by all lines of a folder, since the id 1 alone could be a coordinate. A line of
four numbers is a box.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from bpr.errors import BPRError, shown
from bpr.limits import MOST_CATEGORIES

BEYOND = 0.5
"""How far outside of 0..1 a coordinate may lie: exporters round, and objects reach out of the image."""
FEWEST = 2
"""So many lines that all end with the id 1 are needed to take it for one."""
BOX = 4
"""Numbers of a box: centre, width and height."""


class Fields(NamedTuple):
    """One line.

    Attributes:
        ring: x, y, x, y, ... in fractions of the image; of a box its centre, width and height.
        end: the text after the points.
    """

    category: int
    ring: list[float]
    score: float | None = None
    track: int | None = None
    end: str = ""

    @property
    def is_box(self) -> bool:
        return len(self.ring) == BOX


class Tails(NamedTuple):
    """What follows the points in the lines of a folder.

    Attributes:
        score_and_id: lines of an even count of numbers, without the class, end with a score and an id.
        id: lines of an odd count that end with a whole number end with an id.
        unsure: a number and 1 end all lines, which may be a point, or a score and an id.
    """

    score_and_id: bool
    id: bool
    unsure: bool = False


def tails_of(lines: Iterable[str]) -> Tails:
    """What follows the points in the lines of a folder.

    >>> tails_of(["0 .1 .1 .9 .1 .9 .9 0.87 3"]), tails_of(["0 .1 .1 .9 .1 .9 .9 3"])
    (Tails(score_and_id=True, id=False, unsure=False), Tails(score_and_id=False, id=True, unsure=False))
    """
    ids = {0: 0, 1: 0}
    ones = pairs = 0
    for line in lines:
        words = line.split()[1:]
        odd = len(words) % 2
        if _ends_with_id(words):
            ids[odd] += 1
        if not odd and len(words) >= 8:
            pairs += 1
            ones += words[-1] == "1"
    return Tails(bool(ids[0]) or pairs == ones >= FEWEST, bool(ids[1]), bool(ones) and pairs == ones and not ids[0])


def _ends_with_id(words: list[str]) -> bool:
    """Whether the last number can only be an id, and the others cannot."""
    try:
        *values, last = map(float, words)
    except ValueError:
        return False
    return _must_be_id(last) and all(map(_is_fraction, values))


def _must_be_id(value: float) -> bool:
    """Whether a number is whole and well outside of 0..1; trackers write -1 for an object without a track."""
    return value.is_integer() and not _is_fraction(value)


def _is_fraction(value: float) -> bool:
    return -BEYOND <= value <= 1 + BEYOND


def read_fields(line: str, tails: Tails, where: str) -> Fields:
    """The fields of a line.

    Raises:
        BPRError: the line holds other words, too few points, or coordinates that are no fractions.
    """
    try:
        label, *words = line.split()
        category, values = float(label), [float(word) for word in words]
        if not category.is_integer():
            raise ValueError
    except (ValueError, OverflowError):
        raise BPRError(f"{where}: expected a class and numbers, got {shown(line)}") from None
    if not 0 <= category < MOST_CATEGORIES:
        raise BPRError(f"{where}: expected a class of 0 to {MOST_CATEGORIES - 1}, got {shown(label)}")
    score = track = None
    if len(values) % 2:
        if _must_be_id(values[-1]) or (tails.id and words[-1].isdecimal()):
            track = _whole(words[-1])
            values.pop()
        else:
            score = values.pop()
    elif tails.score_and_id and len(values) >= 6 and values[-1].is_integer():
        track = _whole(words[-1])
        *values, score, _ = values
    if (len(values) < 6 and len(values) != BOX) or not all(map(math.isfinite, (*values, score or 0))):
        raise BPRError(f"{where}: expected a class and 3 or more points x y in fractions of the image, got {shown(line)}")
    outside = next((value for value in (*values, score or 0) if not _is_fraction(value)), None)
    if outside is not None:
        remedy = "divide pixels by the image's width and height"
        raise BPRError(f"{where}: expected points in fractions of the image, got {outside:g}; {remedy}")
    if score is not None and not 0 <= score <= 1:
        raise BPRError(f"{where}: expected a score of 0 to 1 after the points, got {score:g}")
    return Fields(int(category), values, score, track, " ".join(words[len(values) :]))


def _whole(word: str) -> int:
    """The whole number that a word spells, with all its digits."""
    try:
        return int(word)
    except ValueError:
        return int(float(word))
