"""One worker's part in a run: which images it does, and how it waits for and completes the work of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from bpr.errors import BPRError
from bpr.refinement.grouping import RecordsByImage
from bpr.refinement.outcome import FinishedImage, StageClock
from bpr.refinement.sharing.journal import JournalIndex
from bpr.refinement.sharing.run_folder import TOKEN, RunFolder
from bpr.refinement.sharing.workers import Worker, shards


@dataclass(frozen=True)
class SharedRun:
    """A run as one of its workers sees it.

    Legend: I images.

    Attributes:
        by_image: the records that are to be refined.
        refine: :func:`bpr.refinement.runner.refine_images` of certain records by a certain refiner.
    """

    folder: RunFolder
    worker: Worker
    by_image: RecordsByImage
    refine: Callable[..., Iterator[FinishedImage]]
    clock: StageClock = field(default_factory=StageClock)

    def images_done_before(self) -> np.ndarray:
        """(I,) bool: the images that were finished before the run was resumed. A follower learns them from its leader.

        Raises:
            BPRError: this worker sees another run folder than its leader.
        """

        def message() -> bytes:
            finished = self.by_image.images_where(self.folder.read_journals(self.by_image.records).finished)
            return self.folder.token() + np.packbits(finished).tobytes()

        received = self.worker.broadcast(message)
        if received[:TOKEN] != self.folder.token():
            expected = "expected the folder of the first rank, got another"
            raise BPRError(f"{self.folder.path}: {expected}; --out must be on a shared disk")
        bits = np.frombuffer(received[TOKEN:], np.uint8)
        return np.unpackbits(bits, count=len(self.by_image)).view(bool)

    def work(
        self,
        done: np.ndarray,
        on_progress: Callable[[int], None] = lambda done: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> JournalIndex:
        """Refine this worker's images; as the leader, also wait for the others and refine the images that they left.

        Args:
            done: (I,) bool: images to leave out.
            on_progress: called with the number of records that are finished.
            stopped: once it returns True, the images in the last stage are finished and no others.

        Returns:
            The finished work of all workers; for a worker that is not the leader, only its own.
        """
        is_follower = self.worker.role == "follower"
        on_progress(self.worker.add_done(0 if is_follower else self.by_image.records_of(done)))
        claimed = (image for image in self.worker.claim(self.by_image.costs) if not done[image])
        self._refine(claimed, on_progress, stopped)
        self.worker.finish(stopped)
        if self.worker.role != "leader":
            return self.folder.read_journals(self.by_image.records, self.worker)
        journals = self.folder.read_journals(self.by_image.records)
        left = np.flatnonzero(~self.by_image.images_where(journals.finished)).tolist()
        if not left or stopped():
            return journals
        self._refine(left, on_progress, stopped)
        return self.folder.read_journals(self.by_image.records)

    def _refine(self, images: Iterable[int], on_progress: Callable[[int], None], stopped: Callable[[], bool]) -> None:
        groups = (self.by_image[image] for image in images)
        with self.folder.journal(self.worker) as journal:
            for image in self.refine(groups, clock=self.clock, stopped=stopped):
                with self.clock.stage("journal"):
                    journal.add(image)
                on_progress(self.worker.add_done(len(image.indices)))


def check_complete(folder: RunFolder, by_image: RecordsByImage, journals: JournalIndex) -> None:
    """Raise a BPRError that names how many records, and which shards, are not finished."""
    missing = ~by_image.images_where(journals.finished)
    if not missing.any():
        return
    counts = sorted(folder.shard_counts())
    names = [f"{number}/{count}" for count in counts for number in np.unique(shards(by_image.costs, count)[missing])]
    remedy = f"run the shards {', '.join(names)} with --resume" if names else "continue the run with --resume"
    unfinished = f"{by_image.records_of(missing)} of {by_image.records} records are not finished"
    raise BPRError(f"{folder.out}: {unfinished}; {remedy}, then merge again")
