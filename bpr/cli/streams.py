"""Standard streams whose failure does not end the work: the reader of a pipe exits, the disk of a log is full."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any


class Stream:
    """A text stream that discards everything after its first failure.

    Attributes:
        failure: the system's message; None where nothing failed, and where the reader of a pipe exited.
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
            # All further output is discarded, including buffered text, which Python flushes at exit.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


@contextmanager
def guarded_streams() -> Iterator[Stream]:
    """Replace ``sys.stdout``, which is yielded, and ``sys.stderr`` by such streams within the block.

    A stream that was closed before Python started (None) is replaced by one in memory.
    """
    out, err = (Stream(stream or io.StringIO()) for stream in (sys.stdout, sys.stderr))
    with redirect_stdout(out), redirect_stderr(err):
        try:
            yield out
        finally:
            out.flush()
            err.flush()
