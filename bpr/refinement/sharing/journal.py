"""What is finished of a run, image by image, so that a kill at any moment costs the images in flight and no more.

A worker appends to a journal of its own, a block for every image (lines as in :mod:`bpr.io.checked_lines`):

    17 {"segmentation": ..., "bbox": ...}     what changed in record 17; a line for every refined record
    = {"indices": [17, 18], "patches": ...}   seals the block: an image counts once its seal is there and all before it whole
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from operator import index
from pathlib import Path
from typing import Any

import numpy as np

from bpr.errors import BPRError
from bpr.formats.coco import Record
from bpr.io.checked_lines import checked_line, read_checked_lines, text_of
from bpr.refinement.clock import StageClock
from bpr.refinement.outcome import FinishedImage, Kept, RunReport
from bpr.refinement.plan import Plan

CHANGED = ("segmentation", "bbox", "area")
"""Keys that refining may change (:func:`bpr.formats.coco.with_mask`)."""
SEAL = b"="
NOT_OURS = (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError)
"""What reading a line can raise that is damaged, or whole and of a stranger."""


class Journal:
    """Written by one worker; what it holds already stays.

    There is no fsync: what is written survives the death of the process, and what a power cut takes from the end is
    seen by its checksums and done again. Waiting for the disk at every image would buy nothing.
    """

    def __init__(self, path: Path) -> None:
        self._file = open(path, "ab+", buffering=0)  # noqa: SIM115  (open until the worker is done)
        if size := self._file.seek(0, os.SEEK_END):
            self._file.seek(size - 1)
            if self._file.read(1) != b"\n":
                self._write(b"\n")  # what was torn off shall not take the next line with it

    def add(self, done: FinishedImage) -> None:
        """An image is finished.

        Raises:
            OSError: no room, or no disk any more; the image does not count.
        """
        kept = _kept(done)
        pairs = zip(done.indices, done.records, strict=True)
        lines = [b"%d %b" % (own, _json(_changed(record))) for own, record in pairs if own not in kept]
        reasons = [[kept.reason, list(kept.indices), kept.detail] for kept in done.kept]
        seal = {"indices": list(done.indices), "patches": done.patches, "left_out": done.left_out, "kept": reasons}
        self._write(b"".join(map(checked_line, [*lines, b"%b %b" % (SEAL, _json(seal))])))

    def _write(self, block: bytes) -> None:
        while block:
            block = block[self._file.write(block) :]

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()


class Finished:
    """What the journals of a run hold: where each record's change lies, and the report of all sealed images.

    An image that several journals hold, after a restart say, counts once; what they say of it is the same.

    Attributes:
        held: (records,) bool: those whose image is finished.
        damaged: lines whose checksum fails.
    """

    def __init__(self, paths: Iterable[Path], records: int) -> None:
        self.held = np.zeros(records, bool)
        self.damaged = 0
        self._paths = list(paths)
        self._journal, self._place = np.full(records, -1, np.int32), np.zeros(records, np.int64)
        self._report = RunReport(records)
        self._with_kept: list[FinishedImage] = []
        for number, path in enumerate(self._paths):
            self._read(number, path)

    def report(self, plan: Plan, clock: StageClock) -> RunReport:
        """The report of these images, problems in input order."""
        self._report.skipped, self._report.clock = plan.records - len(plan.indices), clock
        for done in sorted(self._with_kept, key=lambda done: done.indices[0]):
            self._report.add(done)
        self._with_kept = []
        return self._report

    def merged(self, records: Iterable[Record]) -> Iterator[Record]:
        """The records in their order, refined where they were."""
        files = [open(path, "rb") for path in self._paths]  # noqa: SIM115  (closed below)
        try:
            for place, record in enumerate(records):
                number = int(self._journal[place])
                yield record if number < 0 else {**record, **_change(files[number], int(self._place[place]))}
        finally:
            for file in files:
                file.close()

    def _read(self, number: int, path: Path) -> None:
        waiting: dict[int, int] = {}
        for place, text in read_checked_lines(path):
            try:
                head, rest = (text or b"").split(b" ", 1)
                if head == SEAL:
                    self._seal(number, _finished_image(rest), waiting)
                    waiting = {}
                else:
                    waiting[int(head)] = place
            except NOT_OURS:
                self.damaged += 1

    def _seal(self, number: int, done: FinishedImage, waiting: dict[int, int]) -> None:
        """An image ends here; it counts if all of it is there and no journal has brought it before."""
        refined = sorted(set(done.indices) - _kept(done))
        if self.held[done.indices].any() or not waiting.keys() >= set(refined):
            return
        self.held[done.indices] = True
        self._journal[refined], self._place[refined] = number, [waiting[own] for own in refined]
        if done.kept:
            self._with_kept.append(done)
        else:
            self._report.add(done)


def _finished_image(text: bytes) -> FinishedImage:
    """What a seal says; the records are in the lines before it.

    Raises:
        one of NOT_OURS.
    """
    seal = json.loads(text)
    kept = [Kept(str(reason), list(map(index, indices)), str(detail)) for reason, indices, detail in seal["kept"]]
    indices = list(map(index, seal["indices"]))
    if min(indices) < 0:
        raise ValueError("a negative index")
    return FinishedImage(indices, (), index(seal["patches"]), index(seal["left_out"]), kept)


def _kept(done: FinishedImage) -> set[int]:
    return {own for kept in done.kept for own in kept.indices}


def _changed(record: Record) -> Record:
    return {key: record[key] for key in CHANGED if key in record}


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _change(file: Any, place: int) -> Record:
    file.seek(place)
    try:
        change: Record = json.loads((text_of(file.readline()) or b"").split(b" ", 1)[1])
        return {key: value for key, value in change.items() if key in CHANGED}
    except NOT_OURS:
        raise BPRError(f"{file.name}: expected what changed in a record at byte {place}, got a damaged line; check the disk") from None


def journals_in(folder: Path) -> Sequence[Path]:
    """All that workers left in a run's folder."""
    return sorted(folder.glob("*.journal"))
