"""Workers of a run, with ranks that die or see another disk played by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bpr.errors import BPRError
from bpr.io.images import ImageFolder
from bpr.refinement.plan import plan_images
from bpr.refinement.predictor import IdentityPredictor
from bpr.refinement.refiner import Refiner
from bpr.refinement.sharing.run_folder import RunFolder
from bpr.refinement.sharing.shared_run import SharedRun, check_complete
from bpr.refinement.sharing.worklist import Share
from tests.conftest import SmallSet


class PlayedRank:
    """The first or second of two ranks, who hears ``said`` and is left ``images``."""

    count, rank = 2, True

    def __init__(self, number: int, images: list[int], said: bytes = b"") -> None:
        self.number, self.leads = number, number == 1
        self.images, self.said, self.finished = images, said, 0

    def agree(self, say: Callable[[], bytes]) -> bytes:
        if self.leads:
            self.said = say()
        return self.said

    def take(self, costs: np.ndarray) -> Iterable[int]:
        return self.images

    def count_done(self, records: int) -> int:
        return records

    def finish(self, stopped: Callable[[], bool]) -> None:
        self.finished += 1


def shared(data: SmallSet, worker: Any, **options: Any) -> SharedRun:
    images = ImageFolder(data.images, data.document["images"])
    folder, refiner = RunFolder(data.folder / "out.json"), Refiner(IdentityPredictor())
    return SharedRun(folder, worker, data.records, plan_images(data.records), images, refiner, threads=0, exclusive=False, **options)


def joined(run: SharedRun, resume: bool = False) -> Any:
    return run.folder.joined(run.worker, {"fingerprint": {}}, resume)


def test_a_follower_joins_the_leader_and_does_what_it_takes(small_set: SmallSet) -> None:
    leader, follower = PlayedRank(1, []), PlayedRank(2, [1])
    first, second = shared(small_set, leader), shared(small_set, follower)
    with joined(first), joined(second):
        done = first.done_before()
        follower.said = leader.said
        assert second.done_before().tolist() == done.tolist() == [False, False]
        assert second.work(done).held.tolist() == [False, False, True, True]
        assert first.work(done).held.all(), "the leader does what is left"
    assert leader.finished == follower.finished == 1


def test_a_follower_that_sees_another_disk_says_so(small_set: SmallSet, tmp_path: Path) -> None:
    leader = PlayedRank(1, [])
    first = shared(small_set, leader)
    with joined(first):
        first.done_before()
    lost = shared(small_set, PlayedRank(2, [], leader.said))
    lost.folder = RunFolder(tmp_path / "elsewhere.json")
    with joined(lost), pytest.raises(BPRError, match=r"expected the folder of the first rank, got another; --out must be on a shared disk"):
        lost.done_before()


def test_one_process_takes_over_from_shards(small_set: SmallSet) -> None:
    """And does not do again what they have done."""
    part, seen = shared(small_set, Share(1, 2)), []
    with joined(part):
        assert part.work(part.done_before()).held.tolist() == [True, True, False, False]
    with pytest.raises(BPRError, match=r"2 of 4 records are not finished; run the shards 2/2 with --resume, then merge again"):
        check_complete(part.folder, part.plan, part.folder.finished(4))
    alone = shared(small_set, Share(), on_progress=seen.append)
    with joined(alone, resume=True):
        finished = alone.work(alone.done_before())
    assert seen == [2, 4]
    assert list(finished.merged(small_set.records)) == small_set.records
    check_complete(alone.folder, alone.plan, finished)


def test_stopped_before_the_first_image_nothing_is_lost(small_set: SmallSet) -> None:
    run = shared(small_set, Share(), stopped=lambda: True)
    with joined(run):
        assert not run.work(run.done_before()).held.any()


def test_no_records(small_set: SmallSet) -> None:
    small_set.records = []
    run = shared(small_set, Share())
    with joined(run):
        finished = run.work(run.done_before())
    check_complete(run.folder, run.plan, finished)
    assert list(finished.merged([])) == []
