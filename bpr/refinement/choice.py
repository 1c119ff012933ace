"""Which records of a run are to be refined: by score, by class, by id. The others are kept unchanged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bpr.errors import BPRError, did_you_mean, shown
from bpr.formats.coco import Record
from bpr.io.files import read_whole
from bpr.io.record_file import called
from bpr.limits import LARGEST_TEXT, is_id, is_score, whole

CROWD_CHOICES = ("keep", "refine")
"""What a run does with the crowds of an annotation file: nothing, or what it does with single objects."""


@dataclass(frozen=True)
class Choice:
    """Which records of a run are to be refined; the others are kept unchanged.

    Attributes:
        min_score: the lowest score; None: any.
        classes: category ids; None: any.
        ids: texts of the ids of records; None: any. A record's id is its ``id``, or its position where it has none.
    """

    min_score: float | None = None
    classes: frozenset[Any] | None = None
    ids: frozenset[str] | None = None

    def includes(self, record: Record, index: int) -> bool:
        """Whether the record at ``index`` is to be refined.

        Raises:
            BPRError: there is a lowest score, and the record's score is not a number.
        """
        if self.min_score is not None:
            score = record.get("score", 1.0)
            if not is_score(score):
                expected = "expected a score that is a number, for --min-score"
                raise BPRError(f"{called(record, index)}: {expected}, got {shown(score)}; correct it or leave it out")
            if score < self.min_score:
                return False
        category_id = record.get("category_id")
        if self.classes is not None and not (is_id(category_id) and category_id in self.classes):
            return False
        return self.ids is None or id_text(record, index) in self.ids

    @property
    def options(self) -> str:
        """The options of ``bpr refine`` that leave records out, for the report."""
        given = {"--min-score": self.min_score, "--only": self.classes, "--ids": self.ids}
        return ", ".join(name for name, value in given.items() if value is not None)


EVERYTHING = Choice()


def id_text(record: Record, index: int) -> str:
    """The id of a record as a text: its ``id``, or its position in the file where it has none.

    >>> id_text({"id": 7.0}, 0), id_text({"id": "a"}, 0), id_text({}, 3)
    ('7', 'a', '3')
    """
    return _spelled(record.get("id", index))


def _spelled(value: Any) -> str:
    """The text of an id; that of a whole number does not depend on its type."""
    return str(value if whole(value) is None else whole(value))


def chosen_classes(
    wanted: str | Sequence[Any], categories: Iterable[dict[str, Any]], records: Iterable[Record]
) -> frozenset[Any]:
    """The category ids of classes that are given by name or id; a name comes before an id of the same text.

    Args:
        categories: the classes that a file lists; empty where none does.
        records: their classes may be given by id, too.

    Raises:
        BPRError: there is no such class.
    """
    named, known = defaultdict[str, set[Any]](set), defaultdict[str, set[Any]](set)
    for category in categories:
        if category.get("name") is not None:
            named[str(category["name"])].add(category["id"])
        known[_spelled(category["id"])].add(category["id"])
    for record in records:
        if is_id(record.get("category_id")):
            known[_spelled(record["category_id"])].add(record["category_id"])
    texts = list(map(_spelled, [wanted] if isinstance(wanted, str) else wanted))
    unknown = next((text for text in texts if text not in named and text not in known), None)
    if unknown is not None:
        listed = list(named) or list(known)
        remedy = did_you_mean(unknown, listed) or "; part classes by spaces, and quote a name that holds one"
        raise BPRError(f"--only: expected classes of the masks, {shown(listed)}, got {shown(unknown)}{remedy}")
    return frozenset(key for text in texts for key in named.get(text) or known[text])


def chosen_ids(path: str | Path, records: Iterable[Record]) -> frozenset[str]:
    """The ids of records that a file lists, one on a line.

    Raises:
        BPRError: the file cannot be read, lists nothing, or lists an id that no record has.
    """
    try:
        lines = read_whole(path, LARGEST_TEXT).decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.reason
        raise BPRError(f"{path}: cannot read it ({reason}); expected ids of records, one on a line") from None
    numbers = {line.strip(): number for number, line in enumerate(lines, start=1) if line.strip()}
    if not numbers:
        raise BPRError(f"{path}: expected ids of records, one on a line, got none")
    known = {id_text(record, index) for index, record in enumerate(records)}
    unknown = next((text for text in numbers if text not in known), None)
    if unknown is not None:
        wanted = "expected the id of a record, or its position where records have no id"
        raise BPRError(f"{path}: line {numbers[unknown]}: {wanted}, got {shown(unknown)}; write one on a line")
    return frozenset(numbers)
