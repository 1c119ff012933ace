"""The outcome of the records of a run (refined, or kept unchanged), and the time that the run took."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from bpr.errors import amount
from bpr.formats.coco import Record
from bpr.refinement.verdict.model import TAKEN


class StageClock:
    """Seconds by stage, summed over all threads. Threads overlap, so the sum can exceed the wall time.

    It goes with the images through the network, so it also counts patches and ends the work between two batches.

    Attributes:
        on_patches: called after each batch with the number of patches that are predicted, and that are cut by then.
        given_up: asked before each batch; once it returns True, no batch follows, and images without all of theirs are
            left out.
    """

    def __init__(self) -> None:
        self.on_patches: Callable[[int, int], None] = lambda predicted, cut: None
        self.given_up: Callable[[], bool] = lambda: False
        self.seconds: dict[str, float] = {}
        self._lock = threading.Lock()
        self._start = time.perf_counter()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time that the block takes to the stage ``name``."""
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            with self._lock:
                self.seconds[name] = self.seconds.get(name, 0.0) + spent

    @property
    def wall(self) -> float:
        """Seconds since the clock was made."""
        return time.perf_counter() - self._start


@dataclass(frozen=True)
class Kept:
    """Records of one image that could not be refined and are kept unchanged.

    Attributes:
        reason: a short name under which the report counts the records, such as ``bad mask``.
        detail: what is wrong, for the user.
        first: how a line to the user calls the first of them.
    """

    reason: str
    indices: Sequence[int]
    detail: str
    first: str


class FinishedImage(NamedTuple):
    """The outcome of one image.

    Attributes:
        indices: the positions, in the results file, of the image's records that were selected for refinement.
        records: these records, with refined masks except where they were kept.
        patches: how many patches went through the network.
        left_out: how many patches the budget left out.
        kept: the records that could not be refined.
        taken: how many verdicts there are of each kind (:class:`~bpr.refinement.verdict.model.Verdict`).
        remark: one line about what the network saw of an image that is no plain photo; else empty.
    """

    indices: Sequence[int]
    records: Sequence[Record]
    patches: int
    left_out: int
    kept: Sequence[Kept]
    taken: Mapping[str, int] = MappingProxyType({})
    remark: str = ""


@dataclass
class RunReport:
    """The outcome of a run.

    Attributes:
        records: how many records the results file has.
        images: how many images are finished.
        patches, left_out: how many patches went through the network, and how many the budget left out.
        refined: how many records were refined.
        skipped: how many records were not chosen; ``skipped_by`` names the options that left them out.
        unread: how many items of the file are no records, such as crowds; ``notes`` has a line about each kind.
        kept: how many records could not be refined, by reason.
        taken: how many verdicts there are of each kind.
        remarks: the first record of every image that is no plain photo, and a line about what the network saw of it.
        problems: a line for the user about each :class:`Kept`.
        reason: why the first of them could not be refined.
        strict: the run fails if any record could not be refined.
        backend: the backend that ran the network; None if no network ran or the run was merged from journals.
    """

    records: int
    images: int = 0
    patches: int = 0
    left_out: int = 0
    refined: int = 0
    skipped: int = 0
    skipped_by: str = "--min-score"
    unread: int = 0
    notes: list[str] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)
    remarks: list[tuple[int, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    reason: str = ""
    clock: StageClock = field(default_factory=StageClock)
    strict: bool = False
    backend: str | None = None

    @property
    def done(self) -> int:
        return self.skipped + self.refined + self.kept.total()

    @property
    def failed(self) -> bool:
        """Whether nothing was refined although there are masks; if ``strict``, whether any record could not be."""
        none_refined = not self.refined and (
            self.kept.total() > self.kept["empty mask"] or (self.unread > 0 and not self.skipped)
        )
        return none_refined or (self.strict and self.kept.total() > 0)

    @property
    def remark_lines(self) -> list[str]:
        """The first of the remarks, and how many more there are."""
        images = len({line for _, line in self.remarks})  # the windows of a raster have one line
        more = f" (and {amount(images - 1, 'more image')})" if images > 1 else ""
        return [f"{min(self.remarks)[1]}{more}"] if self.remarks else []

    @property
    def summary(self) -> str:
        """One line: how many records were refined, and why the others were not."""
        kept = ", ".join(f"{count} {reason}" for reason, count in sorted(self.kept.items())) or "none"
        below = "below" if self.skipped_by == "--min-score" else "not chosen by"
        skipped = f"; {self.skipped} {below} {self.skipped_by}" if self.skipped else ""
        line = f"{self.refined} of {self.records} records refined{skipped}; could not be refined: {kept}"
        if self.taken:
            counts = [self.taken[name] for name in TAKEN]
            line += "; verdict: {} changed as proposed, {} in part, {} not at all".format(*counts)
        return line

    @property
    def timing(self) -> str:
        """One line: how much was done, and how long each stage took. Stages overlap, so they need not add up."""
        wall, seconds = self.clock.wall, self.clock.seconds
        stages = ", ".join(f"{name} {duration:.1f}" for name, duration in seconds.items())
        of_total = f" of {self.patches + self.left_out}" if self.left_out else ""
        patches = f"{self.patches}{of_total} patches" if of_total else amount(self.patches, "patch", "patches")
        done = f"{amount(self.images, 'image')}, {patches} in {wall:.1f} s ({stages})"
        backend = f", on {self.backend}" if self.backend else ""
        return f"{done}; network {seconds.get('forward', 0.0) / wall:.0%} of the wall time{backend}"

    def add(self, image: FinishedImage) -> None:
        """Count one finished image."""
        self.images += 1
        self.patches += image.patches
        self.left_out += image.left_out
        self.refined += len(image.indices)
        self.taken.update(image.taken)
        self.remarks += [(image.indices[0], image.remark)] if image.remark else []
        by_detail: dict[str, list[Kept]] = {}
        for kept in image.kept:
            self.refined -= len(kept.indices)
            self.kept[kept.reason] += len(kept.indices)
            self.reason = self.reason or kept.detail
            by_detail.setdefault(kept.detail, []).append(kept)
        for detail, alike in by_detail.items():
            count, first = sum(len(kept.indices) for kept in alike), alike[0].first
            if count == 1:
                self.problems.append(f"{first}: {detail}; kept as it was")
            else:
                self.problems.append(f"{count} records (first: {first}): {detail}; kept as they were")
