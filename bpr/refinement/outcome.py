"""What became of the records of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bpr.formats.coco import Record
from bpr.refinement.clock import StageClock


@dataclass(frozen=True)
class Kept:
    """Records of one image that stay as they are, and why."""

    reason: str
    indices: Sequence[int]
    detail: str


class FinishedImage(NamedTuple):
    """All records of one image that were to be refined: their ``indices``, and what became of each.

    ``kept`` names those that could not be refined and are what they were; the others took ``patches`` through the network
    and left ``left_out`` out, which the scheme's budget was not spent on.
    """

    indices: Sequence[int]
    records: Sequence[Record]
    patches: int
    left_out: int
    kept: Sequence[Kept]


@dataclass
class RunReport:
    """What became of the records.

    ``kept`` counts by reason those that could not be refined and stayed as they were, ``problems`` names them;
    ``skipped`` counts those that were not to be refined. ``patches`` went through the network, ``left_out`` did not: the
    scheme's budget was spent on others.
    """

    records: int
    images: int = 0
    patches: int = 0
    left_out: int = 0
    refined: int = 0
    skipped: int = 0
    kept: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    clock: StageClock = field(default_factory=StageClock)

    @property
    def done(self) -> int:
        return self.skipped + self.refined + self.kept.total()

    @property
    def failed(self) -> bool:
        """Whether no record was refined, and not because there was none, or none but empty masks."""
        return not self.refined and self.kept.total() > self.kept["empty mask"]

    def add(self, done: FinishedImage) -> None:
        """Count one finished image."""
        self.images += 1
        self.patches += done.patches
        self.left_out += done.left_out
        self.refined += len(done.indices)
        for kept in done.kept:
            self.refined -= len(kept.indices)
            self.kept[kept.reason] += len(kept.indices)
            which = f"record {kept.indices[0]}" if len(kept.indices) == 1 else f"{len(kept.indices)} records from {kept.indices[0]} on"
            self.problems.append(f"{which}: {kept.detail}; kept as it was")
