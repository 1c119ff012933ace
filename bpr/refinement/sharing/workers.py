"""The workers of a run, and how the images are divided among them.

Legend: I images with their estimated costs (I,) float64, in input order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

LARGEST_CHUNK = 32
"""Images that a rank takes at once: enough to make the cost of taking negligible, few enough for a slow rank."""
Role = Literal["leader", "follower", "shard"]


class Worker(Protocol):
    """One process of a run.

    Attributes:
        number, count: this worker is the ``number``-th of ``count``, counted from 1.
        role: as :mod:`bpr.refinement.sharing` describes it.
        journal_name: the name of the worker's journal, without a suffix.
    """

    number: int
    count: int

    @property
    def role(self) -> Role: ...

    @property
    def journal_name(self) -> str: ...

    def broadcast(self, message: Callable[[], bytes]) -> bytes:
        """The leader's message at the beginning of the run; ``message`` is called by the leader only."""
        ...

    def claim(self, costs: np.ndarray) -> Iterable[int]:
        """The images that this worker does, claimed as they are drawn."""
        ...

    def add_done(self, records: int) -> int:
        """Count ``records`` more finished records; returns the sum over all workers that this one can ask."""
        ...

    def finish(self, stopped: Callable[[], bool]) -> None:
        """Report that this worker is done; a leader waits here for its followers, unless the run is ``stopped``."""
        ...


@dataclass
class Shard:
    """A worker that does shard ``number`` of ``count`` and talks to no other; shard 1 of 1 is the whole run."""

    number: int = 1
    count: int = 1
    done: int = 0

    @property
    def role(self) -> Role:
        return "leader" if self.count == 1 else "shard"

    @property
    def journal_name(self) -> str:
        return f"shard-{self.number}-of-{self.count}"

    def broadcast(self, message: Callable[[], bytes]) -> bytes:
        return message()

    def claim(self, costs: np.ndarray) -> Iterable[int]:
        return np.flatnonzero(shards(costs, self.count) == self.number).tolist()

    def add_done(self, records: int) -> int:
        self.done += records
        return self.done

    def finish(self, stopped: Callable[[], bool]) -> None:
        pass


def shards(costs: np.ndarray, count: int) -> np.ndarray:
    """(I,) int64: the shard, 1..count, of every image. A shard is a range of images; all cost about the same.

    >>> shards(np.array([1.0, 1.0, 1.0, 3.0, 3.0, 3.0]), 2).tolist()
    [1, 1, 1, 1, 2, 2]
    """
    middle = np.cumsum(costs) - costs / 2
    return np.minimum((middle * count / max(costs.sum(), 1e-9)).astype(np.int64), count - 1) + 1


def chunks(costs: np.ndarray, workers: int) -> list[range]:
    """Ranges of images that workers take one after the other.

    A chunk is a fixed share of the remaining images, so chunks shrink, in the end to single images. They stay in input
    order: images that lie together on the disk are read together, and the largest ones are not all in memory at once.

    >>> [len(chunk) for chunk in chunks(np.ones(12), workers=2)]
    [3, 2, 1, 1, 1, 1, 1, 1, 1]
    """
    ends, first, parts = np.cumsum(costs), 0, []
    while first < len(costs):
        before = float(ends[first - 1]) if first else 0.0
        fair = before + (float(ends[-1]) - before) / (2 * workers)
        last = int(np.searchsorted(ends, fair, side="right"))
        parts.append(range(first, min(max(last, first + 1), first + LARGEST_CHUNK)))
        first = parts[-1].stop
    return parts
