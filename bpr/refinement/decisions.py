"""What a person decided about the masks of a run: which stay refined, and which are put back as they were.

The page of ``bpr report`` saves the decisions, and ``bpr apply`` writes the masks that follow from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bpr.errors import BPRError, shown
from bpr.formats.coco import Record
from bpr.formats.registry import FORMATS
from bpr.formats.source import Source
from bpr.io.files import read_json
from bpr.refinement.choice import id_text

DECISIONS = "decisions that the page of bpr report saved"
"""How an error message names the file."""
UNDO, KEEP = "undo", "keep"
"""The two decisions, and the keys of the lists of ids in the file."""
SIDES = {"before": "the masks before refining", "after": "the refined masks"}
"""The keys of the two files that the decisions are about, and how an error message names these."""


@dataclass(frozen=True)
class Review:
    """What the page of a report needs so that a person can decide about the masks.

    Attributes:
        ids: of the records, in their order.
        sides: name and digest of the file of each of SIDES, by which ``bpr apply`` knows it again.
    """

    ids: list[str]
    sides: dict[str, dict[str, str]]

    @classmethod
    def of(cls, before: Source, after: Source, names: Mapping[str, str]) -> Review | None:
        """The review of a run; None where masks cannot be put back, because they must not overlap, or are of two formats.

        Args:
            names: of the files, by the keys of SIDES.
        """
        if before.format != after.format or FORMATS[after.format].exclusive:
            return None
        digests = {"before": before.digest, "after": after.digest}
        return cls(ids_of(after.records), {side: {"name": names[side], "masks": digests[side]} for side in SIDES})


@dataclass(frozen=True)
class Decisions:
    """The positions of the records that a person has decided about."""

    undo: frozenset[int]
    keep: frozenset[int]


def ids_of(records: Iterable[Record]) -> list[str]:
    """The ids of records, or the positions of all where two have one id.

    >>> ids_of([{"id": 7}, {}]), ids_of([{"id": 7}, {"id": 7}])
    (['7', '1'], ['0', '1'])
    """
    ids = [id_text(record, index) for index, record in enumerate(records)]
    return ids if len(set(ids)) == len(ids) else list(map(str, range(len(ids))))


def read_decisions(path: str | Path) -> dict[str, Any]:
    """The content of a file of decisions.

    Raises:
        BPRError: the file holds no decisions.
    """
    document = read_json(path, DECISIONS)
    try:
        complete = all({"name", "masks"} <= document[side].keys() for side in SIDES)
        if not complete or not all(isinstance(document[word], list) for word in (UNDO, KEEP)):
            raise TypeError
    except (KeyError, TypeError, AttributeError):
        raise BPRError(f"{path}: expected {DECISIONS}, got another file; the decisions.json that its button saves goes first") from None
    return document


def decisions_about(
    before: Source, after: Source, names: Mapping[str, str], document: Mapping[str, Any], path: str | Path
) -> Decisions:
    """The decisions in the ``document`` of a file about the masks of a run.

    Args:
        names: of the files of the masks, by the keys of SIDES.

    Raises:
        BPRError: the decisions are about other masks; the masks cannot be put back.
    """
    review = Review.of(before, after, names)
    if review is None:
        wanted, remedy = "expected files of one format, in which masks may overlap", "refine again with --ids"
        got = " and ".join(dict.fromkeys([before.format, after.format]))
        raise BPRError(f"{names['after']}: {wanted}, got {got}; {remedy}")
    expected, given = ([sides[side]["masks"] for side in SIDES] for sides in (document, review.sides))
    for side in SIDES:
        if document[side]["masks"] != review.sides[side]["masks"]:
            wanted = f"expected {SIDES[side]} that {path} is about ({shown(document[side]['name'])})"
            if expected == given[::-1]:
                raise BPRError(f"{names[side]}: {wanted}, got {SIDES['after']}; it looks swapped with {names['after']}")
            raise BPRError(f"{names[side]}: {wanted}, got others; pass the files of that report, or make a new one")
    positions = {record_id: index for index, record_id in enumerate(review.ids)}
    found: dict[str, set[int]] = {UNDO: set(), KEEP: set()}
    for word in found:
        for record_id in map(str, document[word]):
            if record_id not in positions:
                raise BPRError(f"{path}: {word}: expected ids of {names['after']}, got {shown(record_id)}; leave it out")
            found[word].add(positions[record_id])
    both = min(found[UNDO] & found[KEEP], default=None)
    if both is not None:
        wanted = f"expected one decision about each mask, got {UNDO} and {KEEP}"
        raise BPRError(f"{path}: {wanted} for {shown(review.ids[both])}; leave it out of one list")
    return Decisions(frozenset(found[UNDO]), frozenset(found[KEEP]))
