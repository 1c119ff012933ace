"""The scripts of ``tools/`` for training end as commands do: one line for an error, and its exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.scripts import run_tool

QUANTIZE = "quantize starter --results r.json --ann a.json --img-dir images --out out.onnx"


@pytest.mark.parametrize(
    ("command", "lost"),
    [
        ("synthesize_masks a.json --out a.json", "a.json"),
        ("quantize m.onnx --results r.json --ann a.json --img-dir i --out m.onnx", "m.onnx"),
        ("convert_checkpoint c.py w.pth --out c.py", "c.py"),
        ("average_checkpoints c.py w.pth w2.pth --out w2.pth", "w2.pth"),
        ("fit_verdict c.py m.onnx --out m.onnx", "m.onnx"),
    ],
)
def test_an_output_where_an_input_lies_is_wrong_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, lost: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.json", "r.json", "m.onnx", "c.py", "w.pth", "w2.pth"):
        Path(name).write_text(name)
    tool, *arguments = command.split()
    assert run_tool(tool, arguments) == 2
    error = capsys.readouterr().err
    assert f"expected an output that is not an input, got {lost}" in error
    assert len(error.splitlines()) == 1
    assert Path(lost).read_text() == lost


@pytest.mark.parametrize(
    ("command", "least"),
    [
        (f"{QUANTIZE} --patches 0", 1),
        (f"{QUANTIZE} --seed -1", 0),
        ("synthesize_masks a.json --out b.json --copies 0", 1),
        ("average_checkpoints c.py 1.pth 2.pth --out o.pth --batches 0", 1),
    ],
)
def test_a_number_below_the_least_is_wrong_usage(command: str, least: int, capsys: pytest.CaptureFixture[str]) -> None:
    tool, *arguments = command.split()
    with pytest.raises(SystemExit) as exit_:
        run_tool(tool, arguments)
    assert exit_.value.code == 2
    assert f"expected a whole number of {least} or more, got '{arguments[-1]}'" in capsys.readouterr().err


def test_an_error_is_one_line_and_debug_shows_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = [str(tmp_path / "none.json"), "--out", str(tmp_path / "out.json")]
    assert run_tool("synthesize_masks", missing) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert run_tool("synthesize_masks", [*missing, "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_script_runs_by_itself_and_shows_an_example() -> None:
    for name in ("average_checkpoints", "convert_checkpoint", "fit_verdict", "quantize", "synthesize_masks"):
        line = [sys.executable, str(ROOT / "tools" / f"{name}.py"), "--help"]
        process = subprocess.run(line, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT), "PATH": ""})
        assert process.returncode == 0, process.stderr
        assert f"python tools/{name}.py" in process.stdout
