"""What a killed build left: how far it is whole, so that the next one cuts back to there and goes on.

    building.txt    the fingerprint of what is built, then a line for every finished item: see Progress

A line is written after its rows and counts once its end is there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bpr.errors import BPRError
from bpr.formats.files import atomic_open

LONGEST_COUNT = 16
"""Digits of a count; no store has as many rows."""


@dataclass(frozen=True)
class Progress:
    """Finished items (images), the rows that they gave, their matched records, and matched records that gave no rows."""

    items: int = 0
    rows: int = 0
    matched: int = 0
    unreadable: int = 0

    def after(self, rows: int, matched: int, unreadable: int) -> Progress:
        return Progress(self.items + 1, self.rows + rows, self.matched + matched, self.unreadable + unreadable)


class Journal:
    """Written beside a store while it is built.

    Raises:
        BPRError: ``resume``, and the journal that lies there is of another build.
    """

    def __init__(self, path: Path, fingerprint: str, resume: bool) -> None:
        self.path, self._head = path, f"{fingerprint}\n"
        self._lines = _whole_lines(path) if resume else []
        if self._lines and self._lines[0] != self._head:
            raise BPRError(f"{path.parent}: holds a build of other detections, annotations or scheme; build without --resume, or elsewhere")
        self.progress = Progress()

    def go_on(self, rows: int) -> None:
        """Go on after the last item whose rows are all among the first ``rows``; what was written later is cut off.

        A damaged line and all after it count as not written.
        """
        kept = [self._head]
        for line in self._lines[1:]:
            counts = _counts(line)
            progress = self.progress.after(*counts) if counts else None
            if progress is None or progress.rows > rows:
                break
            kept.append(line)
            self.progress = progress
        with atomic_open(self.path) as file:
            file.write("".join(kept))
        self._file = open(self.path, "a")  # noqa: SIM115  (open until the store is finished)

    def add(self, rows: int, matched: int, unreadable: int) -> None:
        """An item is finished; its rows have reached the files."""
        self.progress = self.progress.after(rows, matched, unreadable)
        self._file.write(f"{rows} {matched} {unreadable}\n")
        self._file.flush()

    def close(self, finished: bool) -> None:
        self._file.close()
        if finished:
            os.unlink(self.path)


def _whole_lines(path: Path) -> list[str]:
    lines = path.read_text(encoding="ascii", errors="replace").splitlines(keepends=True) if path.is_file() else []
    return [line for line in lines if line.endswith("\n")]


def _counts(line: str) -> tuple[int, int, int] | None:
    """Rows, matched and unreadable records of an item; None for a line that a broken disk or a stranger wrote."""
    words = line.split()
    if len(words) != 3 or not all(word.isdigit() and len(word) < LONGEST_COUNT for word in words):
        return None
    rows, matched, unreadable = map(int, words)
    return rows, matched, unreadable
