"""Simulate 512 ranks, some slow and all mortal: a fixed shard for each rank against chunks for whichever rank is free.

    python -m benchmarks.proofs.scheduling [--out docs/results/scheduling.json]

A discrete-event simulation, seeded. The cost of an image is its estimate times a random factor. A rank that dies
loses the image in flight (the journal has the finished ones) and comes back later. With chunks, the rest of its chunk
returns to the queue at once; with shards, it waits for its rank.

Legend: N images; a chunk is (first, last + 1) in input order.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise, repeat
from typing import Any

import numpy as np

from benchmarks.measuring import RESULTS, markdown_table, script_parser, write_report
from benchmarks.proofs.capacity import Rates, measured_rates

Chunk = tuple[int, int]
CHUNKS = (16, 64, 256, 1024, 4096, 16384)


@dataclass(frozen=True)
class Cluster:
    """Assumptions about the machines; the work per image is measured."""

    ranks: int = 512
    images: int = 10_000_000
    slow_share: float = 0.05
    slowness: float = 3.0
    hours_between_failures: float = 12.0
    restart_seconds: float = 300.0
    take_seconds: float = 0.05
    spread: float = 0.8
    """Standard deviation of the logarithm of an image's cost."""
    misjudged: float = 0.3
    """Standard deviation of the logarithm of the true cost over the estimate."""


@dataclass
class Outcome:
    """Seconds until the last image is done, seconds of work lost in flight, and deaths of ranks."""

    makespan: float = 0.0
    lost: float = 0.0
    failures: int = 0


class Simulation:
    """Ranks that work through queues of chunks.

    Args:
        costs: (N,) seconds of every image at speed 1.
        speeds: of every rank.
        queues: one queue of chunks for every rank; ranks that share work have the same queue.
        lives: for every rank the seconds of work between its deaths.
        restart: seconds until a dead rank is back.
        take: seconds that taking a chunk costs.

    >>> shared = deque([(0, 1), (1, 2), (2, 3)])
    >>> Simulation([3, 2, 2], [1, 1], [shared, shared]).run().makespan
    4.0
    """

    def __init__(
        self,
        costs: Sequence[float] | np.ndarray,
        speeds: Sequence[float] | np.ndarray,
        queues: Sequence[deque[Chunk]],
        lives: Sequence[Iterator[float]] | None = None,
        restart: float = 0.0,
        take: float = 0.0,
    ) -> None:
        self._ends = np.concatenate([[0.0], np.cumsum(costs)])
        self._speeds, self._queues, self._restart, self._take = speeds, queues, restart, take
        self._lives = lives or [repeat(math.inf)] * len(speeds)
        self._left = [next(life) for life in self._lives]
        self._events: list[tuple[float, int, Chunk | None]] = [(0.0, rank, None) for rank in range(len(speeds))]
        self._idle: list[int] = []
        self._outcome = Outcome()

    def run(self) -> Outcome:
        """Let every free rank take a chunk until none is left; an event with a chunk is a death."""
        while self._events:
            now, rank, rest = heapq.heappop(self._events)
            if rest:
                self._give_back(now, rank, rest)
            elif self._queues[rank]:
                self._work(now + self._take, rank, self._queues[rank].popleft())
            else:
                self._idle.append(rank)
        return self._outcome

    def _work(self, start: float, rank: int, chunk: Chunk) -> None:
        first, stop = chunk
        seconds = (self._ends[stop] - self._ends[first]) / self._speeds[rank]
        if seconds <= self._left[rank]:
            self._left[rank] -= seconds
            self._at(start + seconds, rank)
            self._outcome.makespan = max(self._outcome.makespan, float(start + seconds))
        else:
            self._die(start + self._left[rank], rank, chunk)

    def _die(self, now: float, rank: int, chunk: Chunk) -> None:
        """Keep the finished images, lose the one in flight, and schedule the rest again."""
        first, stop = chunk
        worked = self._left[rank] * self._speeds[rank]
        done = int(np.searchsorted(self._ends, self._ends[first] + worked, side="right")) - 1
        self._outcome.failures += 1
        self._outcome.lost += float(self._ends[first] + worked - self._ends[done])
        self._left[rank] = next(self._lives[rank])
        self._at(now, rank, (done, stop))

    def _give_back(self, now: float, rank: int, rest: Chunk) -> None:
        """Return the rest to the queue, where an idle rank takes it; the dead rank comes back later."""
        self._queues[rank].appendleft(rest)
        self._at(now + self._restart, rank)
        for other in [other for other in self._idle if self._queues[other] is self._queues[rank]][:1]:
            self._idle.remove(other)
            self._at(now, other)

    def _at(self, time: float, rank: int, rest: Chunk | None = None) -> None:
        heapq.heappush(self._events, (time, rank, rest))


def equal_parts(estimates: np.ndarray, parts: int) -> list[Chunk]:
    """Split the images into consecutive parts of about the same estimated cost.

    >>> equal_parts(np.array([1, 1, 2, 4]), 2)
    [(0, 3), (3, 4)]
    """
    ends = np.cumsum(estimates)
    cuts = np.searchsorted(ends, ends[-1] * np.arange(1, parts) / parts) + 1
    return [(int(first), int(stop)) for first, stop in pairwise([0, *cuts, len(estimates)]) if stop > first]


def simulate(cluster: Cluster, seconds_per_image: float, images_per_chunk: int | None, seed: int = 0) -> dict[str, Any]:
    """Simulate one run; with a fixed shard for each rank if ``images_per_chunk`` is None."""
    rng = np.random.default_rng(seed)
    estimates = rng.lognormal(-(cluster.spread**2) / 2, cluster.spread, cluster.images) * seconds_per_image
    costs = estimates * rng.lognormal(-(cluster.misjudged**2) / 2, cluster.misjudged, cluster.images)
    speeds = np.where(np.arange(cluster.ranks) < cluster.slow_share * cluster.ranks, 1 / cluster.slowness, 1.0)
    generators = (np.random.default_rng([seed, rank]) for rank in range(cluster.ranks))
    lives = [_lives(generator, 3600 * cluster.hours_between_failures) for generator in generators]
    if images_per_chunk is None:
        queues = [deque([shard]) for shard in equal_parts(estimates, cluster.ranks)]
    else:
        queues = [deque(equal_parts(estimates, -(-cluster.images // images_per_chunk)))] * cluster.ranks
    outcome = Simulation(costs, speeds, queues, lives, cluster.restart_seconds, cluster.take_seconds).run()
    ideal = float(costs.sum() / speeds.sum())
    return {
        "images_per_chunk": images_per_chunk,
        "hours": outcome.makespan / 3600,
        "over_ideal": outcome.makespan / ideal,
        "ideal_hours": ideal / 3600,
        "failures": outcome.failures,
        "lost_share": outcome.lost / float(costs.sum()),
    }


def _lives(rng: np.random.Generator, mean: float) -> Iterator[float]:
    while True:
        yield float(rng.exponential(mean))


def markdown(report: dict[str, Any]) -> str:
    """One row per way of sharing the work."""
    cluster, rows = report["cluster"], report["rows"]
    note = (
        f"{cluster['images']:,} images on {cluster['ranks']} ranks, {100 * cluster['slow_share']:.0f} % of them "
        f"{cluster['slowness']:g} times slower; a rank dies every {cluster['hours_between_failures']:g} h of work and is "
        f"back after {cluster['restart_seconds']:g} s; {report['seconds_per_image']:.2f} s per image. "
        f"Ideal: {rows[0]['ideal_hours']:.2f} h."
    )
    cells = []
    for row in rows:
        size = row["images_per_chunk"]
        way = f"chunks of {size:,} images" if size else "a fixed shard for each rank"
        numbers = [f"{row['hours']:.2f}", f"{row['over_ideal']:.3f}", str(row["failures"])]
        cells.append([way, *numbers, f"{100 * row['lost_share']:.4f} %"])
    head = ("work is shared", "hours", "over ideal", "failures", "work lost")
    return "\n".join([note, "", markdown_table(head, cells)]) + "\n"


def run(rates: Rates, cluster: Cluster) -> dict[str, Any]:
    """Simulate shards, then chunks of every size; a rank is one process of the machine that was measured."""
    seconds = rates.network_seconds_per_image
    rows = [simulate(cluster, seconds, size) for size in (None, *CHUNKS)]
    return {"cluster": asdict(cluster), "seconds_per_image": seconds, "rates": asdict(rates), "rows": rows}


def main() -> None:
    parser = script_parser(__doc__, RESULTS / "scheduling.json")
    parser.add_argument("--images", type=int, default=Cluster.images)
    parser.add_argument("--ranks", type=int, default=Cluster.ranks)
    args = parser.parse_args()
    report = run(measured_rates("coco_val2017"), Cluster(ranks=args.ranks, images=args.images))
    write_report(args.out, report, markdown(report))


if __name__ == "__main__":
    main()
