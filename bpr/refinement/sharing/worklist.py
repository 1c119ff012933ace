"""Who does which images of a run: one process all of them, or each of several its share.

Legend: I images with their estimated costs (I,) float64, in input order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

LARGEST_CHUNK = 32
"""Images that are taken at once: enough that taking costs nothing beside them, few enough to lose on a slow rank."""


class Worker(Protocol):
    """One of those who share a run.

    Attributes:
        number, count: which of how many, from 1 on; they name its journal.
        leads: it merges what all have done and writes the result; nobody that it does not lead may work on the same run.
        rank: a launcher started it, together with all others.
    """

    number: int
    count: int
    leads: bool
    rank: bool

    def agree(self, say: Callable[[], bytes]) -> bytes:
        """What the leader says, at the beginning; only it is asked."""
        ...

    def take(self, costs: np.ndarray) -> Iterable[int]:
        """The images that are for this worker to do, drawn as it comes to them."""
        ...

    def count_done(self, records: int) -> int:
        """So many more are done; returns how many are, by all that can be asked."""
        ...

    def finish(self, stopped: Callable[[], bool]) -> None:
        """This worker has done its part; the leader waits here for the others."""
        ...


@dataclass
class Share:
    """A worker that asks nobody: shard ``number`` of ``count``, or with 1 of 1 the only one."""

    number: int = 1
    count: int = 1
    done: int = 0
    rank = False

    @property
    def leads(self) -> bool:
        return self.count == 1

    def agree(self, say: Callable[[], bytes]) -> bytes:
        return say()

    def take(self, costs: np.ndarray) -> Iterable[int]:
        return np.flatnonzero(shards(costs, self.count) == self.number).tolist()

    def count_done(self, records: int) -> int:
        self.done += records
        return self.done

    def finish(self, stopped: Callable[[], bool]) -> None:
        pass


def shards(costs: np.ndarray, count: int) -> np.ndarray:
    """(I,) int64: the shard, 1..count, of every image; consecutive images, about the same cost in each.

    >>> shards(np.array([1.0, 1.0, 1.0, 3.0, 3.0, 3.0]), 2).tolist()
    [1, 1, 1, 1, 2, 2]
    """
    middle = np.cumsum(costs) - costs / 2
    return np.minimum((middle * count / max(costs.sum(), 1e-9)).astype(np.int64), count - 1) + 1


def chunks(costs: np.ndarray, workers: int) -> list[range]:
    """Consecutive images to take at once: a part of what is left, so that they shrink, the last ones to single images.

    They stay in input order: as with one worker, files that lie together are read together, and the largest images are
    not all in memory at once.

    >>> chunks(np.ones(12), workers=2)
    [range(0, 3), range(3, 5), range(5, 6), range(6, 7), range(7, 8), range(8, 9), range(9, 10), range(10, 11), range(11, 12)]
    """
    ends, first, parts = np.cumsum(costs), 0, []
    while first < len(costs):
        before = float(ends[first - 1]) if first else 0.0
        fair = before + (float(ends[-1]) - before) / (2 * workers)
        last = int(np.searchsorted(ends, fair, side="right"))
        parts.append(range(first, min(max(last, first + 1), first + LARGEST_CHUNK)))
        first = parts[-1].stop
    return parts


def taken(parts: list[range], next_number: Callable[[], int]) -> Iterator[int]:
    """The images of every chunk whose number comes up, for as long as there are chunks."""
    while (number := next_number()) < len(parts):
        yield from parts[number]
