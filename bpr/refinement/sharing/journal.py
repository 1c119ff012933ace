"""Journals: the finished work of the workers of a run, image by image.

Each worker appends to its own journal a block of checked lines (:mod:`bpr.io.checked_lines`) for every image:

    17 {"segmentation": ..., "bbox": ...}     the keys of record 17 that changed; one line for every refined record
    = {"indices": [17, 18], "patches": ...}   closes the block: all records of the image, and its share of the report

An image is finished if all lines of its block are intact.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from operator import index
from pathlib import Path
from typing import IO, Any

import numpy as np

from bpr.errors import BPRError
from bpr.formats.coco import Record
from bpr.io.checked_lines import CheckedLines, read_checked_lines, text_of
from bpr.refinement.grouping import RecordsByImage
from bpr.refinement.outcome import FinishedImage, Kept, RunReport, StageClock

CHANGED_KEYS = ("segmentation", "bbox", "area", "bpr", "claim")
"""Keys of a record that refining may change (:func:`bpr.formats.coco.with_mask`) or add: the verdict, the claim."""
CLOSING = b"="
BAD_LINE_ERRORS = (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError)
"""What parsing a line can raise if the line is damaged, or if another program wrote it."""


class Journal(CheckedLines):
    """The journal of one worker, open for appending."""

    def add(self, image: FinishedImage) -> None:
        """Append a finished image.

        Raises:
            OSError: the disk is full or fails; the image does not count as finished.
        """
        kept = _kept_indices(image)
        pairs = [(i, record) for i, record in zip(image.indices, image.records, strict=True) if i not in kept]
        changes = [{key: record[key] for key in CHANGED_KEYS if key in record} for _, record in pairs]
        lines = [b"%d %b" % (i, _json(change)) for (i, _), change in zip(pairs, changes, strict=True)]
        closing = {
            "indices": list(image.indices),
            "patches": image.patches,
            "left_out": image.left_out,
            "kept": [[kept.reason, list(kept.indices), kept.detail, kept.first] for kept in image.kept],
            "taken": dict(image.taken),
            "remark": image.remark,
        }
        self.append([*lines, b"%b %b" % (CLOSING, _json(closing))])


class JournalIndex:
    """The content of a run's journals: where each record's change lies, and the report of all finished images.

    An image that is in several journals, for example after a restart, counts once; all of them hold the same result.

    Attributes:
        finished: (records,) bool: the records whose image is finished.
        damaged: how many lines are damaged.
    """

    def __init__(self, paths: Iterable[Path], records: int) -> None:
        self.finished = np.zeros(records, bool)
        self.damaged = 0
        self._paths = list(paths)
        self._journal, self._offset = np.full(records, -1, np.int32), np.zeros(records, np.int64)
        self._report = RunReport(records)
        self._images_with_kept: list[FinishedImage] = []
        for number, path in enumerate(self._paths):
            self._read(number, path)

    def report(self, by_image: RecordsByImage, clock: StageClock) -> RunReport:
        """The report of the finished images; its problems are in input order."""
        self._report.skipped, self._report.clock = by_image.records - len(by_image.indices), clock
        for image in sorted(self._images_with_kept, key=lambda image: image.indices[0]):
            self._report.add(image)
        self._images_with_kept = []
        return self._report

    def merged(self, records: Iterable[Record]) -> Iterator[Record]:
        """All records in their order, with the changes that the journals hold."""
        with ExitStack() as stack:
            files = [stack.enter_context(open(path, "rb")) for path in self._paths]
            for i, record in enumerate(records):
                number = int(self._journal[i])
                yield record if number < 0 else {**record, **_change_at(files[number], int(self._offset[i]))}

    def _read(self, number: int, path: Path) -> None:
        block: dict[int, int] = {}  # the records of an image that is not closed yet, and the offsets of their lines
        for offset, text in read_checked_lines(path):
            try:
                head, rest = (text or b"").split(b" ", 1)
                if head == CLOSING:
                    self._close_image(number, _parse_closing(rest), block)
                    block = {}
                else:
                    block[int(head)] = offset
            except BAD_LINE_ERRORS:
                self.damaged += 1

    def _close_image(self, number: int, image: FinishedImage, block: dict[int, int]) -> None:
        """Count an image, if its block is complete and no journal before has held it."""
        refined = sorted(set(image.indices) - _kept_indices(image))
        if self.finished[image.indices].any() or not block.keys() >= set(refined):
            return
        self.finished[image.indices] = True
        self._journal[refined], self._offset[refined] = number, [block[i] for i in refined]
        if image.kept:
            self._images_with_kept.append(image)
        else:
            self._report.add(image)


def _parse_closing(text: bytes) -> FinishedImage:
    """The image that a closing line describes, without its records.

    Raises:
        one of BAD_LINE_ERRORS.
    """
    closing = json.loads(text)
    kept = [
        # A journal of 0.2.0 names no record.
        Kept(str(reason), list(map(index, indices)), str(detail), str(name[0]) if name else f"record {indices[0]}")
        for reason, indices, detail, *name in closing["kept"]
    ]
    indices = list(map(index, closing["indices"]))
    if min(indices) < 0:
        raise ValueError("a negative index")
    taken = {str(name): index(count) for name, count in closing["taken"].items()}
    remark = str(closing.get("remark", ""))
    return FinishedImage(indices, (), index(closing["patches"]), index(closing["left_out"]), kept, taken, remark)


def _kept_indices(image: FinishedImage) -> set[int]:
    return {i for kept in image.kept for i in kept.indices}


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _change_at(file: IO[bytes], offset: int) -> Record:
    """The changed keys of the record whose line begins at byte ``offset``."""
    file.seek(offset)
    try:
        change: Record = json.loads((text_of(file.readline()) or b"").split(b" ", 1)[1])
        return {key: value for key, value in change.items() if key in CHANGED_KEYS}
    except BAD_LINE_ERRORS:
        expected = f"expected what changed in a record at byte {offset}, got a damaged line"
        raise BPRError(f"{file.name}: {expected}; check the disk") from None
