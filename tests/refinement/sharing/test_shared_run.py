"""The workers of a run; ranks that fail or see another disk are imitated."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bpr.errors import BPRError
from bpr.io.image_finder import ImageFolder
from bpr.refinement.grouping import group_by_image
from bpr.refinement.predictor import IdentityPredictor
from bpr.refinement.refiner import Refiner
from bpr.refinement.runner import refine_images
from bpr.refinement.sharing.run_folder import RunFolder
from bpr.refinement.sharing.shared_run import SharedRun, check_complete
from bpr.refinement.sharing.workers import Role, Shard, Worker
from tests.conftest import SmallSet


class FakeRank:
    """The first or second of two ranks, without a store: it receives ``message`` and does ``images``."""

    count = 2

    def __init__(self, number: int, images: list[int], message: bytes = b"") -> None:
        self.number, self.images, self.message, self.finished = number, images, message, 0
        self.role: Role = "leader" if number == 1 else "follower"
        self.journal_name = f"rank-{number}-of-2"

    def broadcast(self, message: Callable[[], bytes]) -> bytes:
        if self.role == "leader":
            self.message = message()
        return self.message

    def claim(self, costs: np.ndarray) -> Iterable[int]:
        return self.images

    def add_done(self, records: int) -> int:
        return records

    def finish(self, stopped: Callable[[], bool]) -> None:
        self.finished += 1


def shared(data: SmallSet, worker: Worker, folder: RunFolder | None = None) -> SharedRun:
    images = ImageFolder(data.images, data.document["images"])
    refine = partial(refine_images, data.records, images=images, refiner=Refiner(IdentityPredictor()), workers=0)
    return SharedRun(folder or RunFolder(data.folder / "out.json"), worker, group_by_image(data.records), refine)


def joined(run: SharedRun, resume: bool = False) -> Any:
    return run.folder.joined(run.worker, {"fingerprint": {}, "job": {}}, resume)


def test_a_follower_joins_the_leader_and_does_what_it_takes(small_set: SmallSet) -> None:
    leader, follower = FakeRank(1, []), FakeRank(2, [1])
    first, second = shared(small_set, leader), shared(small_set, follower)
    with joined(first), joined(second):
        done = first.images_done_before()
        follower.message = leader.message
        assert second.images_done_before().tolist() == done.tolist() == [False, False]
        assert second.work(done).finished.tolist() == [False, False, True, True]
        assert first.work(done).finished.all(), "the leader does what is left"
    assert leader.finished == follower.finished == 1


def test_a_follower_that_sees_another_disk_says_so(small_set: SmallSet, tmp_path: Path) -> None:
    leader = FakeRank(1, [])
    first = shared(small_set, leader)
    with joined(first):
        first.images_done_before()
    lost = shared(small_set, FakeRank(2, [], leader.message), RunFolder(tmp_path / "elsewhere.json"))
    with (
        joined(lost),
        pytest.raises(
            BPRError, match=r"expected the folder of the first rank, got another; --out must be on a shared disk"
        ),
    ):
        lost.images_done_before()


def test_one_process_takes_over_from_shards(small_set: SmallSet) -> None:
    """And does not do again what they have done."""
    part, seen = shared(small_set, Shard(1, 2)), []
    with joined(part):
        assert part.work(part.images_done_before()).finished.tolist() == [True, True, False, False]
    with pytest.raises(
        BPRError, match=r"2 of 4 records are not finished; run the shards 2/2 with --resume, then merge again"
    ):
        check_complete(part.folder, part.by_image, part.folder.read_journals(4))
    alone = shared(small_set, Shard())
    with joined(alone, resume=True):
        finished = alone.work(alone.images_done_before(), seen.append)
    assert seen == [2, 4]
    assert list(finished.merged(small_set.records)) == small_set.records
    check_complete(alone.folder, alone.by_image, finished)


def test_stopped_before_the_first_image_nothing_is_lost(small_set: SmallSet) -> None:
    run = shared(small_set, Shard())
    with joined(run):
        assert not run.work(run.images_done_before(), stopped=lambda: True).finished.any()


def test_no_records(small_set: SmallSet) -> None:
    small_set.records = []
    run = shared(small_set, Shard())
    with joined(run):
        finished = run.work(run.images_done_before())
    check_complete(run.folder, run.by_image, finished)
    assert list(finished.merged([])) == []
