"""Processes that a launcher started share a run through the key-value store of torch.distributed; no tensors are sent."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from datetime import timedelta

import numpy as np
import torch

from bpr.distributed.launchers import Place, name_first_host, place
from bpr.errors import BPRError
from bpr.refinement.worklist import chunks, taken

LONGEST_START = timedelta(minutes=30)
"""Until all have started, and the first has read the journals of a run that goes on."""
PATIENCE = 0.1
"""Seconds between two looks at the store."""


class Rank:
    """A :class:`~bpr.refinement.worklist.Worker` that takes chunks of images from a counter which all ranks count up.

    What the store says of an earlier start of the same job may still be there. It can make a rank skip or repeat work,
    no more: the leader does at the end what no journal has.
    """

    rank = True

    def __init__(self, launcher: str) -> None:
        own = place(launcher)
        name_first_host(launcher)
        _take_own_part(own)
        try:
            self._store = next(iter(torch.distributed.rendezvous("env://", timeout=LONGEST_START)))[0]
        except (RuntimeError, ValueError) as error:
            raise BPRError(f"--launcher {launcher}: cannot reach the first process ({str(error).splitlines()[0]})") from error
        self.number, self.count = own.rank + 1, own.count
        self.leads = own.rank == 0

    def agree(self, say: Callable[[], bytes]) -> bytes:
        if self.leads:
            self._store.set("said", say())
        return bytes(self._store.get("said"))

    def take(self, costs: np.ndarray) -> Iterable[int]:
        return taken(chunks(costs, self.count), lambda: self._counted("taken", 1) - 1)

    def count_done(self, records: int) -> int:
        return self._counted("done", records)

    def finish(self, stopped: Callable[[], bool]) -> None:
        """In small waits, so that a signal is noticed."""
        finished = self._counted("finished", 1)
        while self.leads and finished < self.count and not stopped():
            time.sleep(PATIENCE)
            finished = self._counted("finished", 0)

    def _counted(self, name: str, by: int) -> int:
        """A number that all ranks count up.

        Raises:
            BPRError: who keeps it is gone.
        """
        try:
            return int(self._store.add(name, by))
        except RuntimeError as error:
            lost = f"rank {self.number - 1}: expected to reach the first process as before, got no answer"
            raise BPRError(f"{lost}; what is finished is kept, go on with the same command and --resume") from error


def _take_own_part(own: Place) -> None:
    """Share out what the machine has among its ranks: a GPU each where there are any, else its cores.

    Before anything runs there, so that no library takes all of it.
    """
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(torch.cuda.device_count()))))
    if gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus.split(",")[own.local % len(gpus.split(","))]
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if 1 < here <= len(cores):
        os.sched_setaffinity(0, cores[own.local * len(cores) // here : (own.local + 1) * len(cores) // here])
