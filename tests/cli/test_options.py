"""Options that take whole numbers of a range."""

from __future__ import annotations

import pytest

from bpr.cli.main import main


@pytest.mark.parametrize(
    ("command", "least", "value"),
    [
        (("app", "--max-pixels"), 1, "-1"),
        (("app", "--max-pixels"), 1, "1.5"),
        (("refine", "a.json", "--out", "b.json", "--workers"), 1, "0"),
    ],
)
def test_a_number_below_the_least_is_a_wrong_command_line(
    command: tuple[str, ...], least: int, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main([*command, value])
    assert left.value.code == 2
    line, _ = capsys.readouterr().err.splitlines()
    assert (
        line
        == f"bpr {command[0]}: argument {command[-1]}: expected a whole number of {least} or more, got '{value}'"
    )
