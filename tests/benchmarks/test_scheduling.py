"""The simulated scheduler on cases that a pencil can follow."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from itertools import chain, repeat

import numpy as np
import pytest

from benchmarks.proofs.scheduling import Chunk, Cluster, Outcome, Simulation, equal_parts, simulate


def run(
    costs: Sequence[float],
    speeds: Sequence[float],
    chunks: Sequence[Sequence[Chunk]],
    lives: Sequence[Sequence[float]] = (),
    restart: float = 0.0,
    take: float = 0.0,
) -> Outcome:
    """Ranks with queues of their own, or all with one."""
    queues = [deque(own) for own in chunks] if len(chunks) > 1 else [deque(chunks[0])] * len(speeds)
    dying = [chain(own, repeat(math.inf)) for own in lives] or None
    return Simulation(costs, speeds, queues, dying, restart, take).run()


def test_who_is_free_takes_the_next_chunk() -> None:
    assert run([3, 2, 2], [1, 1], [[(0, 1), (1, 2), (2, 3)]]).makespan == 4  # 3 | 2 then 2


def test_a_shard_waits_for_its_own_rank() -> None:
    assert run([3, 2, 2], [1, 1], [[(0, 2)], [(2, 3)]]).makespan == 5  # 3 + 2 | 2


def test_a_slow_rank_holds_its_shard_and_only_one_chunk() -> None:
    ones = [1.0] * 6
    assert run(ones, [1, 1 / 3], [[(0, 3)], [(3, 6)]]).makespan == pytest.approx(
        9
    )  # three images at a third of the speed
    single = [[(index, index + 1) for index in range(6)]]
    # fast: 0-1, 1-2, 2-3, then 3-4; slow: 0-3, then the last 3-6
    assert run(ones, [1, 1 / 3], single).makespan == pytest.approx(6)


def test_a_death_loses_the_image_in_flight_and_nothing_else() -> None:
    outcome = run([2, 2, 2], [1], [[(0, 3)]], lives=[[3]], restart=10)
    # the first image is done at 2; dead at 3, back at 13; the other two take until 17
    assert outcome == Outcome(makespan=17, lost=1, failures=1)


def test_the_rest_of_a_dead_ranks_chunk_is_taken_at_once() -> None:
    outcome = run([2, 2, 1], [1, 1], [[(0, 2), (2, 3)]], lives=[[3], []], restart=100)
    assert outcome == Outcome(makespan=5, lost=1, failures=1)  # the idle rank takes the second image at 3


def test_the_rest_of_a_dead_ranks_shard_waits() -> None:
    outcome = run([2, 2, 1], [1, 1], [[(0, 2)], [(2, 3)]], lives=[[3], []], restart=100)
    assert outcome == Outcome(makespan=105, lost=1, failures=1)


def test_a_rank_may_die_at_the_same_image_again() -> None:
    assert run([5], [1], [[(0, 1)]], lives=[[4, 3]], restart=1) == Outcome(
        makespan=14, lost=7, failures=2
    )  # 4 + 1 + 3 + 1 + 5


def test_taking_a_chunk_costs_time() -> None:
    assert run([1, 1], [1], [[(0, 1), (1, 2)]], take=0.5).makespan == 3


def test_parts_hold_every_image_once() -> None:
    estimates = np.random.default_rng(0).lognormal(size=1000)
    parts = equal_parts(estimates, 7)
    assert [first for first, _ in parts] == [0, *(stop for _, stop in parts[:-1])]
    assert parts[-1][1] == 1000
    sums = [estimates[first:stop].sum() for first, stop in parts]
    assert max(sums) - min(sums) <= 2 * estimates.max()


def test_a_run_is_repeatable_and_chunks_beat_shards() -> None:
    cluster = Cluster(ranks=16, images=4000, hours_between_failures=0.05, restart_seconds=30)
    shards, chunks = simulate(cluster, 2.0, None), simulate(cluster, 2.0, 16)
    assert simulate(cluster, 2.0, 16) == chunks
    assert 1 <= chunks["over_ideal"] < shards["over_ideal"]
    assert chunks["failures"] > 0
    assert chunks["lost_share"] < 0.1
