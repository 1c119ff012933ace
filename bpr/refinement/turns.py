"""Callers that wait for their turn, so that memory does not grow with their number."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any


class Turns:
    """A ``with`` block that at most ``count`` threads are in; the others wait.

    A copy, in another process too, begins with all turns free. So does a forked process, where the threads that had
    a turn do not exist.

    >>> turns = Turns(1)
    >>> with turns:
    ...     "mine"
    'mine'
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.free_all()
        _EVERY.add(self)

    def __enter__(self) -> None:
        self._free.acquire()

    def __exit__(self, *error: object) -> None:
        self._free.release()

    def __reduce__(self) -> tuple[Any, ...]:
        return Turns, (self.count,)

    def free_all(self) -> None:
        self._free = threading.Semaphore(self.count)


_EVERY: weakref.WeakSet[Turns] = weakref.WeakSet()


def _free_after_fork() -> None:
    for turns in _EVERY:
        turns.free_all()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_free_after_fork)
