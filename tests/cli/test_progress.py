"""Progress where the output is no terminal: a line per tenth, with the time that is left."""

from __future__ import annotations

import pytest

from bpr.cli.options import progress_bar


def test_a_line_says_how_many_minutes_are_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 60.0, 180.0, 330.0, 360.0])
    monkeypatch.setattr("bpr.cli.options.time.monotonic", lambda: next(clock))
    with progress_bar("refining", 100) as advance:
        for done in (40, 50, 70, 95, 100):  # 40 were finished before the run was resumed
            advance(done)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "refining: 40/100",
        "refining: 50/100, about 5 minutes left",
        "refining: 70/100, about 3 minutes left",
        "refining: 95/100",
        "refining: 100/100",
    ]
