"""No command takes one of its inputs for its output, nor an empty path for one."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bpr.cli.main import build_parser, main
from bpr.cli.paths import INPUTS, OUTPUTS, check_paths
from bpr.io.folders import atomic_folder
from tests.conftest import SmallSet

OTHERS = {"what", "cfg_options", "trained_on", "host", "resume", "work_dir", "metrics"}
"""Texts that are no path, and paths in which a training goes on."""
PAIR = "r.json --before r2.json --ann a.json --img-dir i"
COMMANDS = {
    "refine r.json --img-dir i --ann a.json --out a.json": "a.json",
    "refine r.json --img-dir i --ann a.json --out ./i/../a.json": "a.json",
    "refine r.json --img-dir i --ann a.json --out link.json": "a.json",
    "refine r.json --img-dir i --out r.json": "r.json",
    "refine p.png --img-dir p.jpg --out p.jpg": "p.jpg",
    "refine r.json --img-dir i --out i": "i",
    "refine m --img-dir i --out m": "m",
    "refine m/sub --img-dir i --out m": "m/sub",
    "refine r.json --img-dir i --model m.onnx --out m.onnx": "m.onnx",
    "eval r.json --ann a.json --out a.json": "a.json",
    "eval r.json --ann a.json --markdown a.json": "a.json",
    "eval r.json --ann a.json --before r2.json --save-per-instance r2.json": "r2.json",
    "convert r.json --to coco --out r.json": "r.json",
    "convert m --to panoptic --out m.json": "m",
    f"report {PAIR} --out i": "i",
    f"analyze failures {PAIR} --out a.json": "a.json",
    f"analyze scatter {PAIR} --out a.csv": "a.json",
    f"analyze images {PAIR} --out i": "i",
    "analyze upper-bound r.json --ann a.json --img-dir i --out r.md": "r.json",
    "synthesize-masks a.json --out a.json": "a.json",
    "extract-patches r.json --ann a.json --img-dir i --out i": "i",
    "detect i/1.png --det-config c.py --det-weights w.pth --out i/1.png": "i/1.png",
    "export c.py w.pth --out w.pth": "w.pth",
    "quantize m.onnx --results r.json --ann a.json --img-dir i --out m.onnx": "m.onnx",
    "convert-checkpoint c.py w.pth --out c.py": "c.py",
    "average-checkpoints c.py w.pth w2.pth --out w2.pth": "w2.pth",
    "demo --model m.onnx --out m.onnx": "m.onnx",
}
"""A command -> the input that it would lose."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One of everything; ``m`` is a folder of ours."""
    monkeypatch.chdir(tmp_path)
    for name in ("r.json", "r2.json", "a.json", "p.png", "p.jpg", "c.py", "w.pth", "w2.pth", "m.onnx"):
        Path(name).write_text(name)
    Path("i").mkdir()
    Path("i/1.png").write_text("photo")
    Path("link.json").symlink_to("a.json")
    with atomic_folder("m") as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "1.png").touch()
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_an_output_where_an_input_lies_is_refused(place: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    assert main(command.split()) == 2
    error = capsys.readouterr().err
    assert f"expected an output apart from the inputs, got {COMMANDS[command]}, which would be lost; choose another output" in error
    assert len(error.splitlines()) == 1
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("command", ["refine {} --out o", "refine r.json --model= --out o", "refine r.json --out=", "eval r.json --ann="])
def test_an_empty_path_is_refused(place: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word.replace("{}", "") for word in command.split()]) == 2
    assert "expected a path or a name, got an empty text\n" in capsys.readouterr().err


def test_an_output_of_an_earlier_run_and_one_beside_the_inputs_are_taken(small_set: SmallSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small_set.folder)
    shutil.copytree("images", "photos")
    command = ["refine", "results.json", "--img-dir", "photos", "--ann", "instances.json", "--model", "identity"]
    for out in ("photos/out.json", "photos/out.json", "photos.json"):
        assert main([*command, "--out", out]) == 0


def actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from actions(below)
        else:
            yield action


def test_an_output_may_be_called_as_the_model_is(place: Path) -> None:
    Path("starter").mkdir()  # as a first run leaves it
    check_paths(build_parser().parse_args(["demo", "--model", "starter", "--out", "starter"]))


def test_every_argument_that_may_be_a_path_is_known() -> None:
    """Whoever adds one says in bpr.cli.paths which it is."""
    texts = {action.dest for action in actions(build_parser()) if action.nargs != 0 and action.type is None and action.choices is None}
    assert texts <= {*INPUTS, *OUTPUTS, *OTHERS}
