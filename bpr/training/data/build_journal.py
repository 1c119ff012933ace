"""The journal of a patch store that is being built: how far the store is complete, so that a killed build can resume.

    building.txt    the fingerprint of the build, then one line for every finished image: see Progress

A line is written after its rows, and counts only if it is whole (bpr.io.checked_lines).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from bpr.errors import BPRError
from bpr.io.checked_lines import CheckedLines, checked_line, read_checked_lines
from bpr.io.files import atomic_open

LONGEST_COUNT = 16
"""Digits of a count; no store has more rows."""


@dataclass(frozen=True)
class Progress:
    """What a build has finished.

    Attributes:
        items: images.
        rows: patches that they gave.
        matched: records that matched ground truth and gave patches.
        unreadable: records that matched ground truth but whose image or mask could not be read.
    """

    items: int = 0
    rows: int = 0
    matched: int = 0
    unreadable: int = 0

    def after(self, rows: int, matched: int, unreadable: int) -> Progress:
        """The progress with one more item."""
        return Progress(self.items + 1, self.rows + rows, self.matched + matched, self.unreadable + unreadable)


class BuildJournal:
    """The journal file of a store while the store is built.

    Args:
        fingerprint: identifies the build.
        resume: continue an existing journal.

    Raises:
        BPRError: ``resume``, and the existing journal is of another build.
    """

    def __init__(self, path: Path, fingerprint: str, resume: bool) -> None:
        self.path, self._fingerprint = path, fingerprint.encode()
        texts = (text for _, text in read_checked_lines(path)) if resume and path.is_file() else iter(())
        self._lines: list[bytes] = list(takewhile(lambda text: text is not None, texts))  # up to the first damaged one
        if self._lines and self._lines[0] != self._fingerprint:
            raise BPRError(
                f"{path.parent}: holds a build of other detections, annotations or scheme; "
                "build without --resume, or elsewhere"
            )
        self.progress = Progress()

    def open_after(self, rows: int) -> None:
        """Continue after the last item whose rows are all among the first ``rows``; later lines are removed.

        A damaged line and all after it count as not written.
        """
        kept = [self._fingerprint]
        for line in self._lines[1:]:
            counts = _counts(line)
            progress = self.progress.after(*counts) if counts else None
            if progress is None or progress.rows > rows:
                break
            kept.append(line)
            self.progress = progress
        with atomic_open(self.path, "wb") as file:
            file.writelines(map(checked_line, kept))
        self._file = CheckedLines(self.path)

    def add(self, rows: int, matched: int, unreadable: int) -> None:
        """Note that an item is finished, after its rows have been written."""
        self.progress = self.progress.after(rows, matched, unreadable)
        self._file.append([b"%d %d %d" % (rows, matched, unreadable)])

    def close(self, finished: bool) -> None:
        self._file.close()
        if finished:
            os.unlink(self.path)


def _counts(line: bytes) -> tuple[int, int, int] | None:
    """Rows, matched and unreadable records of an item; None for a line that this program did not write."""
    fields = line.split()
    if len(fields) != 3 or not all(field.isdigit() and len(field) < LONGEST_COUNT for field in fields):
        return None
    rows, matched, unreadable = map(int, fields)
    return rows, matched, unreadable
