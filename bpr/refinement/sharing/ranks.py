"""Processes that a launcher started share a run through the key-value store of torch.distributed; no tensors are sent."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterable
from datetime import timedelta

import numpy as np
import torch

from bpr.errors import BPRError
from bpr.refinement.sharing.launchers import Place, name_first_host, place
from bpr.refinement.sharing.worklist import chunks, taken

LONGEST_START = timedelta(minutes=30)
"""Until all have started, and the first has read the journals of a run that goes on."""
PATIENCE = 0.1
"""Seconds between two looks at the store."""
TOKEN = 16
"""Characters of a word that nobody has said before."""


class Rank:
    """A :class:`~bpr.refinement.sharing.worklist.Worker` that takes chunks of images from a counter which all ranks count up.

    After a restart the store may still hold what was said before, and no number of a restart is the same on all hosts. So
    the ranks meet: each says a new word, the first repeats all words together with a name for this meeting, and who hears its
    own word there counts under that name.
    """

    rank = True

    def __init__(self, launcher: str) -> None:
        own = place(launcher)
        name_first_host(launcher)
        _take_own_part(own)
        self.number, self.count = own.rank + 1, own.count
        self.leads = own.rank == 0
        self._store, self._meeting = _store(self.leads), ""

    def agree(self, say: Callable[[], bytes]) -> bytes:
        try:
            return self._lead(say()) if self.leads else self._follow()
        except RuntimeError as error:
            raise self._lost() from error

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

    def _lead(self, said: bytes) -> bytes:
        self._meeting, repeated = secrets.token_hex(TOKEN // 2), None
        for _ in _looks():
            if self._counted("here", 0) == self.count - 1:
                return said
            words = b"".join(self._heard(f"word {number}") or b"-" * TOKEN for number in range(2, self.count + 1))
            if words != repeated:
                self._store.set("said", self._meeting.encode() + words + said)
                repeated = words
        raise BPRError(
            f"expected {self.count} ranks to start, got {self._counted('here', 0) + 1} within {LONGEST_START}; look at their logs"
        )

    def _follow(self) -> bytes:
        own = secrets.token_hex(TOKEN // 2).encode()
        self._store.set(f"word {self.number}", own)
        for _ in _looks():
            heard = self._heard("said")
            if own in heard[TOKEN : self.count * TOKEN]:
                self._meeting = heard[:TOKEN].decode()
                self._counted("here", 1)
                return heard[self.count * TOKEN :]
        raise BPRError(f"rank {self.number - 1}: expected the first rank to start within {LONGEST_START}, got no word; look at its log")

    def _heard(self, name: str) -> bytes:
        return bytes(self._store.get(name)) if self._store.check([name]) else b""

    def _counted(self, name: str, by: int) -> int:
        """A number that all ranks of this meeting count up.

        Raises:
            BPRError: who keeps it is gone.
        """
        try:
            return int(self._store.add(f"{self._meeting} {name}", by))
        except RuntimeError as error:
            raise self._lost() from error

    def _lost(self) -> BPRError:
        lost = f"rank {self.number - 1}: expected to reach the first process as before, got no answer"
        return BPRError(f"{lost}; what is finished is kept, go on with the same command")


def _looks() -> Iterable[None]:
    """Now and again, for as long as a start may take."""
    last = time.monotonic() + LONGEST_START.total_seconds()
    while time.monotonic() < last:
        yield
        time.sleep(PATIENCE)


def _store(leads: bool) -> torch.distributed.Store:
    """The store that torchrun keeps at the first host, or else one that the first rank keeps there."""
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    keeps = leads and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    try:
        store = torch.distributed.TCPStore(host, port, is_master=keeps, timeout=LONGEST_START, wait_for_workers=False)
    except (RuntimeError, ValueError) as error:
        raise BPRError(f"{host}:{port}: expected the first process to answer there, got {str(error).splitlines()[0]}") from error
    return torch.distributed.PrefixStore("bpr", store)


def _take_own_part(own: Place) -> None:
    """Share out what the machine has among its ranks: a GPU each where there are any, else its cores.

    Before anything runs there, so that no library takes all of it.
    """
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(torch.cuda.device_count()))))
    if gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus.split(",")[own.local % len(gpus.split(","))]
    take_cores(own.local, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def take_cores(number: int, count: int) -> None:
    """Keep to the ``number``-th of ``count`` equal parts of the cores, where there are enough and the system can."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if 1 < count <= len(cores):
        os.sched_setaffinity(0, cores[number * len(cores) // count : (number + 1) * len(cores) // count])
