"""Being asked to end: by Ctrl-C, by a scheduler that wants its machine back."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """While the block runs, a first signal is only noted, for the work to come to a good end; a second one ends at once.

    >>> with Stop() as stop:
    ...     signal.raise_signal(signal.SIGTERM)
    >>> stop(), stop.signal
    (True, 'SIGTERM')
    """

    def __init__(self) -> None:
        self.signal: str | None = None

    def __call__(self) -> bool:
        """Whether we were asked to."""
        return self.signal is not None

    def __enter__(self) -> Stop:
        self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = signal.Signals(number).name
        for asked in SIGNALS:
            signal.signal(asked, signal.SIG_DFL)
