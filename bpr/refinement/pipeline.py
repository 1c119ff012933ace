"""``map`` with threads, in order and with bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from bpr.cores import usable_cores

Item = TypeVar("Item")
Result = TypeVar("Result")

DEFAULT_WORKERS = min(4, usable_cores())
"""Threads that read images and cut patches while the network runs."""


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int, ahead: int | None = None
) -> Iterator[Result]:
    """The results of ``function`` for all ``items``, in their order.

    Args:
        workers: the number of threads; 0 runs in the calling thread.
        ahead: how many items may be in work or wait for the consumer (default: 2 per thread).

    >>> list(ordered_map(lambda x: x * x, range(5), workers=2))
    [0, 1, 4, 9, 16]
    """
    if workers <= 0:
        yield from map(function, items)
        return
    window = ahead or 2 * workers
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= window:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
