"""Stop a run in order on Ctrl-C, and on the SIGTERM of a scheduler that needs its machine back."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Within the block the first signal is only noted, so that the run can stop in order; a second one kills the process.

    Calling the object tells whether a signal has come.

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

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = signal.Signals(number).name
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)
