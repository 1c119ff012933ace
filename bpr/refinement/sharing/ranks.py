"""Ranks: workers that a launcher started together. They talk through the key-value store of torch.distributed."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import torch

from bpr.errors import BPRError
from bpr.refinement.sharing.launchers import LaunchedRank, launched_rank, set_torch_variables
from bpr.refinement.sharing.workers import Role, chunks

LONGEST_START = timedelta(minutes=30)
"""How long ranks wait for each other at the start; the leader may have to read the journals of a large run first."""
POLL_SECONDS = 0.1
WORD = 16
"""Characters of a random word."""


class Rank:
    """A :class:`~bpr.refinement.sharing.workers.Worker` that claims chunks of images from a counter of all ranks.

    torchrun keeps its store when it restarts the ranks, so the store may still hold keys of an earlier start, and no
    variable of the environment numbers the starts in the same way on all hosts. Therefore the ranks first meet:

    1. Every follower draws a random word and stores it under its own number.
    2. The leader draws a random name for the meeting. It stores an announcement: this name, the words of all followers
       that it found, and its message. Whenever a word changes it stores the announcement again.
    3. A follower reads the announcement until it finds its own word there. Then the announcement is of this start:
       the follower takes over the name and the message, and adds one to the meeting's counter ``here``.
    4. The leader continues once ``here`` has counted all followers.

    The later counters (``taken``, ``done``, ``finished``) carry the name of the meeting, too.
    """

    def __init__(self, launcher: str) -> None:
        launched = launched_rank(launcher)
        set_torch_variables(launcher)
        _take_share_of_machine(launched)
        self.number, self.count = launched.rank + 1, launched.world_size
        self._store, self._meeting = _connect(is_leader=launched.rank == 0), ""

    @property
    def role(self) -> Role:
        return "leader" if self.number == 1 else "follower"

    @property
    def journal_name(self) -> str:
        return f"rank-{self.number}-of-{self.count}"

    def broadcast(self, message: Callable[[], bytes]) -> bytes:
        try:
            return self._announce(message()) if self.role == "leader" else self._await_announcement()
        except RuntimeError as error:
            raise self._lost_store() from error

    def claim(self, costs: np.ndarray) -> Iterator[int]:
        parts = chunks(costs, self.count)
        while (number := self._count("taken", 1) - 1) < len(parts):
            yield from parts[number]

    def add_done(self, records: int) -> int:
        return self._count("done", records)

    def finish(self, stopped: Callable[[], bool]) -> None:
        finished = self._count("finished", 1)
        while self.role == "leader" and finished < self.count and not stopped():
            time.sleep(POLL_SECONDS)
            finished = self._count("finished", 0)

    def _announce(self, message: bytes) -> bytes:
        self._meeting, announced = secrets.token_hex(WORD // 2), None
        for _ in _polls():
            if self._count("here", 0) == self.count - 1:
                return message
            words = b"".join(self._get(f"word {number}") or b"-" * WORD for number in range(2, self.count + 1))
            if words != announced:
                self._store.set("announcement", self._meeting.encode() + words + message)
                announced = words
        started = self._count("here", 0) + 1
        expected = f"expected {self.count} ranks to start"
        raise BPRError(f"{expected}, got {started} within {LONGEST_START}; look at their logs")

    def _await_announcement(self) -> bytes:
        word = secrets.token_hex(WORD // 2).encode()
        self._store.set(f"word {self.number}", word)
        for _ in _polls():
            announcement = self._get("announcement")
            words_end = self.count * WORD
            if word in announcement[WORD:words_end]:
                self._meeting = announcement[:WORD].decode()
                self._count("here", 1)
                return announcement[words_end:]
        expected = f"expected the first rank to start within {LONGEST_START}"
        raise BPRError(f"rank {self.number - 1}: {expected}, got no announcement; look at its log")

    def _get(self, key: str) -> bytes:
        return bytes(self._store.get(key)) if self._store.check([key]) else b""

    def _count(self, counter: str, by: int) -> int:
        """Add ``by`` to a counter of this meeting; returns its new value.

        Raises:
            BPRError: the process that keeps the store is gone.
        """
        try:
            return int(self._store.add(f"{self._meeting} {counter}", by))
        except RuntimeError as error:
            raise self._lost_store() from error

    def _lost_store(self) -> BPRError:
        lost = f"rank {self.number - 1}: expected to reach the first process as before, got no answer"
        return BPRError(f"{lost}; finished images are kept, continue with the same command")


def _polls() -> Iterable[None]:
    """Yields every ``POLL_SECONDS`` until ``LONGEST_START`` is over."""
    end = time.monotonic() + LONGEST_START.total_seconds()
    while time.monotonic() < end:
        yield
        time.sleep(POLL_SECONDS)


def _connect(is_leader: bool) -> Any:
    """The store that torchrun keeps on the first host; under another launcher the leader keeps it there.

    Its type is Any because the stubs of torch know only text as a value, while the store also takes bytes.
    """
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    keeps_store = is_leader and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    try:
        store = torch.distributed.TCPStore(
            host, port, is_master=keeps_store, timeout=LONGEST_START, wait_for_workers=False
        )
    except (RuntimeError, ValueError) as error:
        answer = str(error).splitlines()[0]
        raise BPRError(f"{host}:{port}: expected the first process to answer there, got {answer}") from error
    return torch.distributed.PrefixStore("bpr", store)


def _take_share_of_machine(launched: LaunchedRank) -> None:
    """Divide a machine among its ranks: a GPU for each where there are GPUs, and a part of the cores.

    This must come before any library starts threads or takes a GPU.
    """
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(torch.cuda.device_count()))))
    if gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus.split(",")[launched.local_rank % len(gpus.split(","))]
    take_cores(launched.local_rank, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def take_cores(number: int, count: int) -> None:
    """Bind this process to one of ``count`` equal parts of the cores, if the system can and there are enough."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if 1 < count <= len(cores):
        os.sched_setaffinity(0, cores[number * len(cores) // count : (number + 1) * len(cores) // count])
