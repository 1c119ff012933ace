"""Options that take whole numbers of a range."""

from __future__ import annotations

import pytest

from bpr.cli.main import main

QUANTIZE = ("quantize", "starter", "--results", "r.json", "--ann", "a.json", "--img-dir", "images", "--out", "out.onnx")


@pytest.mark.parametrize(
    ("command", "least", "value"),
    [
        (("demo", "--seed"), 0, "-1"),
        (("demo", "--seed"), 0, "1.5"),
        ((*QUANTIZE, "--seed"), 0, "-1"),
        ((*QUANTIZE, "--patches"), 1, "0"),
        (("synthesize-masks", "a.json", "--out", "b.json", "--copies"), 1, "-1"),
        (("synthesize-masks", "a.json", "--out", "b.json", "--seed"), 0, "-1"),
        (("report", "a.json", "--before", "b.json", "--out", "report", "--most"), 1, "0"),
    ],
)
def test_a_number_below_the_least_is_a_wrong_command_line(
    command: tuple[str, ...], least: int, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main([*command, value])
    assert left.value.code == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == f"bpr {command[0]}: error: argument {command[-1]}: expected a whole number of {least} or more, got '{value}'"
