"""A run that keeps what it has finished, alone or as one of several workers: the one path of ``bpr refine``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from bpr.errors import BPRError
from bpr.formats.coco import Record
from bpr.io.images import ImageFinder
from bpr.refinement.clock import StageClock
from bpr.refinement.plan import Plan
from bpr.refinement.refiner import Refiner
from bpr.refinement.runner import refine_images
from bpr.refinement.sharing.journal import Finished
from bpr.refinement.sharing.run_folder import TOKEN, RunFolder
from bpr.refinement.sharing.worklist import Worker, shards


@dataclass
class SharedRun:
    """What is refined, with what, where its state lies and who does it.

    Attributes:
        stopped: whether somebody asked to end (:class:`~bpr.refinement.sharing.stopping.Stop`).
        on_progress: called after each image with the number of records that are done.
    """

    folder: RunFolder
    worker: Worker
    records: Sequence[Record]
    plan: Plan
    images: ImageFinder
    refiner: Refiner
    threads: int
    exclusive: bool
    stopped: Callable[[], bool] = lambda: False
    on_progress: Callable[[int], None] = lambda done: None
    clock: StageClock = field(default_factory=StageClock)

    @property
    def follows(self) -> bool:
        """Whether another process says what is to be done and writes the result."""
        return self.worker.rank and not self.worker.leads

    def work(self, done: np.ndarray) -> Finished:
        """Do this worker's part of what is not ``done`` (I,), and as the leader wait for the others and do what they left.

        Returns:
            What all have finished, or, of a worker that does not lead, what it has.
        """
        self.on_progress(self.worker.count_done(0 if self.follows else self.plan.records_of(done)))
        self._refine(image for image in self.worker.take(self.plan.costs) if not done[image])
        self.worker.finish(self.stopped)
        if not self.worker.leads:
            return self.folder.finished(self.plan.records, self.worker)
        finished = self._all_finished()
        left = np.flatnonzero(~images_done(self.plan, finished)).tolist()
        if not left or self.stopped():
            return finished
        self._refine(left)
        return self._all_finished()

    def done_before(self) -> np.ndarray:
        """(I,) bool: what the leader, or a worker that asks nobody, found in the journals at the beginning."""
        token = self.folder.token
        said = self.worker.agree(lambda: token() + np.packbits(images_done(self.plan, self._all_finished())).tobytes())
        if said[:TOKEN] != token():
            raise BPRError(f"{self.folder.path}: expected the folder of the first rank, got another; --out must be on a shared disk")
        return np.unpackbits(np.frombuffer(said[TOKEN:], np.uint8), count=len(self.plan)).view(bool)

    def _all_finished(self) -> Finished:
        return self.folder.finished(self.plan.records)

    def _refine(self, images: Iterable[int]) -> None:
        groups = (self.plan[image] for image in images)
        args = self.records, groups, self.images, self.refiner, self.threads, self.exclusive, self.clock, self.stopped
        with self.folder.journal(self.worker) as journal:
            for done in refine_images(*args):
                with self.clock.stage("journal"):
                    journal.add(done)
                self.on_progress(self.worker.count_done(len(done.indices)))


def images_done(plan: Plan, finished: Finished) -> np.ndarray:
    """(I,) bool: the images that journals hold."""
    return plan.images_where(finished.held)


def check_complete(folder: RunFolder, plan: Plan, finished: Finished) -> None:
    """Raise a BPRError that says how much is missing, and of which shards."""
    missing = ~images_done(plan, finished)
    if not missing.any():
        return
    names = [f"{number}/{count}" for count in sorted(folder.shard_counts()) for number in np.unique(shards(plan.costs, count)[missing])]
    which = f"run the shards {', '.join(names)} with --resume" if names else "go on with the run by --resume"
    raise BPRError(f"{folder.out}: {plan.records_of(missing)} of {plan.records} records are not finished; {which}, then merge again")
