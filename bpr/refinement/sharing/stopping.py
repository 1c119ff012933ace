"""Stop a run in order on Ctrl-C, and on the SIGTERM of a scheduler that needs its machine back."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Notes the first SIGINT or SIGTERM that comes within the block, so that the run can stop in order.

    Calling the object tells whether a signal has come. A second signal ends the process.

    Args:
        notice: a line for stderr when the first signal comes; empty: none.

    >>> with Stop("") as stopped:
    ...     signal.raise_signal(signal.SIGTERM)
    >>> stopped(), stopped.signal
    (True, 'SIGTERM')
    """

    def __init__(self, notice: str) -> None:
        self.signal: str | None = None
        self._notice = notice

    def __call__(self) -> bool:
        return self.signal is not None

    def __enter__(self) -> Stop:
        self._handlers_before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = signal.Signals(number).name
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        if self._notice and sys.__stderr__ is not None:
            # Unbuffered, because the signal may have come in the middle of a print; a terminal has shown ^C before it.
            start = "\n" if sys.__stderr__.isatty() else ""
            with suppress(OSError, ValueError):
                os.write(sys.__stderr__.fileno(), f"{start}{self._notice}\n".encode())
