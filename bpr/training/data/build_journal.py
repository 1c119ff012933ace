"""The journal of a patch store that is being built: how far the store is complete, so that a killed build can resume.

    building.txt    the fingerprint of the build, then one line for every finished image: see Progress

A line is written after its rows, and counts only if it is whole (bpr.io.checked_lines).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from bpr.errors import BPRError
from bpr.io.checked_lines import CheckedLines, checked_line, read_checked_lines
from bpr.io.files import atomic_open

COUNTS = re.compile(rb"(\d{1,15}) (\d{1,15}) (\d{1,15})")
"""Rows, matched and unreadable records of an image; no store has more."""


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
        rows: continue an existing journal after the last item whose rows are all among so many first ones; None begins
            anew. A damaged line and all after it count as not written.

    Raises:
        BPRError: the existing journal is of another build.
    """

    def __init__(self, path: Path, fingerprint: str, rows: int | None) -> None:
        self.path, self.progress, kept = path, Progress(), [fingerprint.encode()]
        if rows is not None and path.is_file():
            lines = takewhile(bool, (text for _, text in read_checked_lines(path)))
            if next(lines, kept[0]) != kept[0]:
                raise BPRError(
                    f"{path.parent}: holds a build of other detections, annotations or scheme; "
                    "build without --resume, or elsewhere"
                )
            for line in lines:
                counts = COUNTS.fullmatch(line)
                progress = self.progress.after(*map(int, counts.groups())) if counts else None
                if progress is None or progress.rows > rows:
                    break
                kept.append(line)
                self.progress = progress
        with atomic_open(path, "wb") as file:
            file.writelines(map(checked_line, kept))
        self._file = CheckedLines(path)

    def add(self, rows: int, matched: int, unreadable: int) -> None:
        """Note that an item is finished, after its rows have been written."""
        self.progress = self.progress.after(rows, matched, unreadable)
        self._file.append([b"%d %d %d" % (rows, matched, unreadable)])

    def close(self, finished: bool) -> None:
        self._file.close()
        if finished:
            os.unlink(self.path)
