"""No output of a command replaces one of its inputs, and no path is empty."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from bpr.cli import main as main_module
from bpr.cli.main import build_parser, main
from bpr.cli.paths import InputPath, OutputPath, check_paths
from bpr.io.folders import atomic_folder
from tests.conftest import SmallSet

PAIR = "r.json --before r2.json --ann a.json --img-dir i"
CLASHES = {
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
    f"analyze scatter {PAIR} --out a.json": "a.json",
    f"analyze images {PAIR} --out i": "i",
    "analyze upper-bound r.json --ann a.json --img-dir i --out r.json": "r.json",
    "extract-patches r.json --ann a.json --img-dir i --out i": "i",
    "detect i/1.png --det-config c.py --det-weights w.pth --out i/1.png": "i/1.png",
    "export c.py w.pth --out w.pth": "w.pth",
    "export c.py w.pth --out c.py": "c.py",
    "detect i/1.png i --det-config c.py --det-weights w.pth --out i": "i",
}
"""Commands -> the input that each of them would lose."""


@pytest.fixture
def folder_of_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one file of every kind; ``m`` in it is a folder that BPR wrote."""
    monkeypatch.chdir(tmp_path)
    for name in ("r.json", "r2.json", "a.json", "p.png", "p.jpg", "c.py", "w.pth", "m.onnx"):
        Path(name).write_text(name)
    Path("i").mkdir()
    Path("i/1.png").write_text("photo")
    Path("link.json").symlink_to("a.json")
    with atomic_folder("m") as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "1.png").touch()
    return tmp_path


@pytest.mark.parametrize("command", CLASHES)
def test_an_output_where_an_input_lies_is_refused(
    folder_of_inputs: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in folder_of_inputs.rglob("*") if path.is_file()}
    assert main(command.split()) == 2
    error = capsys.readouterr().err
    assert (
        f"expected an output that is not an input, got {CLASHES[command]}, which would be overwritten; choose another output"
        in error
    )
    assert len(error.splitlines()) == 1
    assert {path: path.read_bytes() for path in folder_of_inputs.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "command",
    ["eval r.json --ann a.json --out o --markdown ./o", "refine p.jpg m/1.png --out o.png --soft s.png --cutout s.png"],
)
def test_two_outputs_of_one_place_are_refused(folder_of_inputs: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command.split()) == 2
    assert "expected a place of its own for every output, got it twice; choose another output" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", ["refine {} --out o", "refine r.json --model= --out o", "refine r.json --out=", "eval r.json --ann="]
)
def test_an_empty_path_is_refused(folder_of_inputs: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([word.replace("{}", "") for word in command.split()])
    assert stop.value.code == 2
    problem, hint = capsys.readouterr().err.splitlines()
    assert problem.endswith(": expected a path or a name, got an empty text")
    assert hint.endswith(" --help shows what it takes, with an example")


def test_the_output_of_an_earlier_run_and_one_beside_the_inputs_are_allowed(
    small_set: SmallSet, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_an_output_may_have_the_name_of_the_model(folder_of_inputs: Path) -> None:
    Path("starter").mkdir()  # as a first run leaves it
    detector = ["--det-config", "c.py", "--det-weights", "w.pth"]
    check_paths(build_parser().parse_args(["detect", "i", *detector, "--model", "starter", "--out", "starter"]))


def test_every_argument_states_its_type() -> None:
    """A path without a type would not be protected; ``type=str`` is a text that is no path."""
    valued = [action for action in actions(build_parser()) if action.nargs != 0]
    assert len(valued) > 50
    assert [action.dest for action in valued if not action.type and not action.choices] == []


def test_a_new_command_is_protected_by_the_types_of_its_arguments(
    folder_of_inputs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--from", type=InputPath, nargs="+")
        parser.add_argument("--into", type=OutputPath)

    def run(args: argparse.Namespace) -> int:
        Path(args.into).write_text("new")
        return 0

    toy = SimpleNamespace(EXAMPLE="bpr toy", add_arguments=add_arguments, run=run)
    monkeypatch.setitem(sys.modules, "bpr.cli.toy", toy)
    monkeypatch.setitem(main_module.COMMANDS, "toy", "a command of this test")
    assert main(["toy", "--from", "r.json", "a.json", "--into", "link.json"]) == 2
    assert "link.json: expected an output that is not an input, got a.json" in capsys.readouterr().err
    assert Path("a.json").read_text() == "a.json"
    assert main(["toy", "--from", "r.json", "--into", "new.json"]) == 0
    assert Path("new.json").read_text() == "new"
