"""Stop a run in order on Ctrl-C, and on the SIGTERM of a scheduler that needs its machine back."""

from __future__ import annotations

import signal
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Notes the first SIGINT or SIGTERM that comes within the block, so that the run can stop in order.

    Calling the object tells whether a signal has come. A second signal ends the process.

    >>> with Stop() as stopped:
    ...     signal.raise_signal(signal.SIGTERM)
    >>> stopped(), stopped.signal
    (True, 'SIGTERM')
    """

    def __init__(self) -> None:
        self.signal: str | None = None

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
