"""Errors of the processes that load training data, as their user should read them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from bpr.errors import BPRError

WRAPPED = re.compile(r"Caught \w+ in DataLoader worker process.*\\nbpr\.errors\.\w+: (.*)\\n")
"""How torch hands on what a process raised: an error of the same type whose text is the traceback, here on one line."""


@contextmanager
def own_line() -> Iterator[None]:
    """Raise a BPRError of a loading process as that process said it."""
    try:
        yield
    except BPRError as error:
        wrapped = WRAPPED.fullmatch(str(error))
        if wrapped is None:
            raise
        raise BPRError(wrapped[1]) from error
