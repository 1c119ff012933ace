"""Standard streams that cannot end the work: a reader that leaves, a log on a full disk."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any


class Stream:
    """A text stream that drops what it is given once it has failed.

    Attributes:
        failure: what the system says went wrong; None while nothing did, and where a reader left who wanted no more.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.failure: str | None = None

    def write(self, text: str) -> int:
        self._guarded(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._guarded(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _guarded(self, act: Callable[[], object]) -> None:
        try:
            act()
        except OSError as error:
            self.failure = None if isinstance(error, BrokenPipeError) else error.strerror
            _send_nowhere(self._stream.fileno())


def _send_nowhere(descriptor: int) -> None:
    """Also what a buffer still holds, over which Python would stumble at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


@contextmanager
def guarded_streams() -> Iterator[Stream]:
    """Within the block ``sys.stdout``, which is yielded, and ``sys.stderr`` are such streams; what is closed from the start takes all."""
    out, err = (Stream(stream or io.StringIO()) for stream in (sys.stdout, sys.stderr))
    with redirect_stdout(out), redirect_stderr(err):
        try:
            yield out
        finally:
            out.flush()
            err.flush()
