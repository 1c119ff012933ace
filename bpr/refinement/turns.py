"""Callers that wait for their turn, so that memory does not grow with their number."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any


class Turns:
    """A ``with`` block that at most ``count`` threads are in; the others wait, and enter in the order they came.

    A thread that asks again at once does not come before those that wait, as it would with a semaphore. A copy, in another
    process too, begins with all turns free. So does a forked process, where the threads that had a turn do not exist.

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
        caller = object()
        with self._changed:
            self._waiting.append(caller)
            try:
                self._changed.wait_for(lambda: self._free and self._waiting[0] is caller)
                self._free -= 1
            finally:  # on Ctrl-C, too
                self._waiting.remove(caller)
                self._changed.notify_all()

    def __exit__(self, *error: object) -> None:
        with self._changed:
            self._free += 1
            self._changed.notify_all()

    def __reduce__(self) -> tuple[Any, ...]:
        return Turns, (self.count,)

    def free_all(self) -> None:
        self._changed, self._free, self._waiting = threading.Condition(), self.count, list[object]()


_EVERY: weakref.WeakSet[Turns] = weakref.WeakSet()


def _free_after_fork() -> None:
    for turns in _EVERY:
        turns.free_all()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_free_after_fork)
