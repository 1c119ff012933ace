"""The help of ``bpr``, its parsers and its exit codes."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import shlex
import subprocess
import sys
from types import SimpleNamespace

import pytest

import bpr
from bpr.cli.main import COMMANDS, GROUPS, build_parser, main
from bpr.cli.renamed import GONE
from tests.conftest import ROOT, SmallSet

FILES = ["refine", "results.json", "--out", "out.json"]


def stopped_with(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    return int(stop.value.code or 0)


def module_of(command: str) -> SimpleNamespace:
    return importlib.import_module(f"bpr.cli.{command.replace('-', '_')}")


def test_help_lists_at_most_fifteen_commands_by_group_with_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert stopped_with("--help") == 0
    printed = capsys.readouterr().out
    for title, commands in GROUPS.items():
        section = printed.split(f"\n{title}:\n")[1].split("\n\n")[0]
        assert [line.split(maxsplit=1) for line in section.splitlines()] == [list(item) for item in commands.items()]
        assert max(map(len, section.splitlines())) <= 80
    assert list(GROUPS) == ["refine and look", "measure", "train"]
    assert len(COMMANDS) <= 15


def test_help_and_version_load_no_command_and_no_library() -> None:
    for option in ("--help", "--version"):
        code = f"import sys\nfrom bpr.cli.main import main\ntry: main([{option!r}])\nexcept SystemExit: print(*sys.modules)"
        ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
        loaded = ran.stdout.splitlines()[-1].split()
        assert {name for name in loaded if name.startswith("bpr.cli.")} == {
            *("bpr.cli.main", "bpr.cli.renamed", "bpr.cli.streams")
        }
        assert not {"numpy", "cv2", "onnxruntime", "pycocotools", "rich"} & set(loaded)


def test_a_command_loads_no_other_command() -> None:
    code = "import sys; from bpr.cli.main import build_parser\nbuild_parser(['merge', 'out']); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = ran.stdout.split()
    assert "bpr.cli.merge" in loaded
    assert not {f"bpr.cli.{name.replace('-', '_')}" for name in COMMANDS if name != "merge"} & set(loaded)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_commands_help_ends_with_an_example_that_parses(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert stopped_with(command, "--help") == 0
    examples = module_of(command).EXAMPLE.splitlines()
    title = "examples:" if len(examples) > 1 else "example:"
    printed = capsys.readouterr().out
    assert printed.endswith("\n  ".join(["", title, *examples])[3:] + "\n")
    assert "option_strings" not in printed  # a bare % in a help text: argparse puts its own fields there
    for example in examples:
        program, *arguments = shlex.split(example, comments=True)
        assert (program, arguments[0]) == ("bpr", command)
        build_parser().parse_args(arguments)


def test_the_help_of_refine_has_its_options_in_groups_and_three_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert stopped_with("refine", "--help") == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[0] == "usage: bpr refine MASKS --out OUT [options]"
    found = {}
    for section in printed.split("\n\n")[2:]:
        title, *lines = section.splitlines()
        found[title] = [line.split()[0].strip(",") for line in lines if line[2] != " "]
    assert found["everyday:"] == [
        *("MASKS", "--img-dir", "--ann", "--out", "--preset", "--model", "--polygons", "--cutout", "--soft", "--trimap", "--min-score"),
        *("--only", "--ids", "--crowds"),
    ]
    assert found["patches:"] == ["--scheme", "--caution", "--keep"]
    assert found["sharing:"] == ["--resume", "--shard", "--launcher"]
    assert found["expert:"] == ["--format", "--backend", "--config", "--strict", "--workers"]
    assert [line.split("# ")[1] for line in section.splitlines()[1:]] == ["one photo", "COCO results", "YOLO labels"]


@pytest.mark.parametrize("arguments", [[], ["--debug"]])
def test_bpr_alone_shows_the_commands(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr().err
    assert all(f"  {name:16} {line}" in printed for name, line in COMMANDS.items())


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["refine"], "bpr refine: the following arguments are required: MASKS, --out"),
        (["refin"], r"bpr: argument COMMAND: expected one of refine, .*, got 'refin'; did you mean refine\?"),
        ([*FILES, "--backnd", "auto"], r"bpr refine: expected an option of the command, got --backnd; did you mean --backend\?"),
        ([*FILES, "--schem=grid"], r"bpr refine: expected an option of the command, got --schem=grid; did you mean --scheme\?"),
        ([*FILES, "--scheme", "grd"], r"bpr refine: argument --scheme: expected one of .*, got 'grd'; did you mean grid\?"),
        ([*FILES, "more.json"], "bpr refine: expected no further argument, got more.json"),
        (["analyze", "schemes", "--se", "1"], "bpr analyze schemes: expected an option of the command, got --se"),
        (["analyze"], "bpr analyze: the following arguments are required: ANALYSIS"),
    ],
    ids=str,
)
def test_wrong_usage_is_the_line_that_matters_and_one_hint(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stopped_with(*arguments) == 2
    problem, hint = capsys.readouterr().err.splitlines()
    assert re.fullmatch(line, problem)
    assert hint == f"{problem.partition(':')[0]} --help shows what it takes, with an example"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["synthesize-masks", "a.json", "--out", "b.json"],
            "bpr: expected a command, got synthesize-masks of bpr 0.2.0; python tools/synthesize_masks.py of a checkout does this",
        ),
        (["visualize", "schemes"], "bpr: expected a command, got visualize of bpr 0.2.0; bpr analyze schemes does this"),
        (
            [*FILES, "--passes", "2"],
            "bpr refine: expected an option of the command, got --passes of bpr 0.2.0; leave it out: a mask is refined once",
        ),
        (
            [*FILES, "--nms-iou=.5"],
            "bpr refine: expected an option of the command, got --nms-iou=.5 of bpr 0.2.0; in Python: bpr.load(nms_iou=...)",
        ),
        (
            ["analyze", "schemes", "--out", "a.png", "--seed", "1"],
            "bpr analyze schemes: expected an option of the command, got --seed of bpr 0.2.0; leave it out",
        ),
    ],
    ids=str,
)
def test_a_word_of_an_earlier_release_names_what_replaces_it(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stopped_with(*arguments) == 2
    assert capsys.readouterr().err.splitlines()[0] == line


def test_the_words_that_are_gone_are_those_of_the_changelog_and_no_command_takes_them() -> None:
    section = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").split("## [0.2.0]")[0]
    was = " ".join(re.findall(r"^\| (`.*?) \|", section, re.MULTILINE))
    words = {word for _, word in GONE}
    assert {word for word in words if word.startswith("--")} == set(re.findall(r"--[a-z-]+", was))
    assert all(word in was for word in words)
    parser = build_parser()
    for program, word in GONE:
        command = parser
        for name in program.split()[1:]:
            command = next(action for action in command._actions if isinstance(action.choices, dict)).choices[name]
        assert word not in command._option_string_actions
        assert word not in COMMANDS


def test_bpr_runs_as_a_module() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "bpr", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout == f"bpr {bpr.__version__}\n"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert stopped_with("--version") == 0
    assert capsys.readouterr().out == f"bpr {bpr.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        *(["nonsense"], ["visualize"], ["refine"], ["app", "--port", "many"], ["analyze", "dreams"]),
        *([*FILES, "--pass", "2"], [*FILES, "--work", "2"], ["analyze", "schemes", "--se", "1"]),
        *([*FILES, "--workers", text] for text in ("0", "-1", "1.5", "two")),
        *([*FILES, "--min-score", text] for text in ("nan", "inf", "high")),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert stopped_with(*arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


def refine(data: SmallSet, *options: str) -> int:
    files = [
        str(data.results),
        "--img-dir",
        str(data.images),
        "--ann",
        str(data.ann),
        "--out",
        str(data.folder / "out.json"),
    ]
    return main(["refine", *files, *options])


def test_done_is_zero_and_failed_is_one(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    assert refine(small_set, "--model", "identity") == 0
    assert refine(small_set, "--model", "nonsense") == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("bpr refine: model 'nonsense': expected one of identity")


def test_debug_shows_the_traceback(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    assert refine(small_set, "--model", "nonsense", "--debug") == 1
    assert "Traceback" in capsys.readouterr().err


def test_progress_is_in_patches_where_there_is_one_image(
    small_set: SmallSet, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bpr.backends.BATCH_SIZE", 2)
    assert refine(small_set, "--model", "identity") == 0
    assert "refining: 4/4\n" in capsys.readouterr().err
    small_set.write("results.json", [record for record in small_set.records if record["image_id"] == 1])
    assert refine(small_set, "--model", "identity") == 0
    shown = re.findall(r"^patches: (\d+)/(\d+)$", capsys.readouterr().err, re.MULTILINE)
    assert len(shown) > 3
    assert len({total for _, total in shown}) == 1
    assert shown[-1][0] == shown[-1][1]
    assert sorted(int(done) for done, _ in shown) == [int(done) for done, _ in shown]


@pytest.mark.parametrize("kind", ["grid", "instance"])
def test_the_scheme_is_an_option(small_set: SmallSet, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    counts = []
    for options in ([], ["--scheme", kind]):
        assert refine(small_set, "--model", "oracle", *options) == 0
        counts.append(capsys.readouterr().out.partition(" patches")[0])
    assert counts[0] != counts[1]
    assert refine(small_set, "--model", "identity", "--scheme", kind) == 0


def test_debug_before_the_command_counts_too(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["--debug", "convert", str(small_set.folder / "missing.json"), "--to", "coco", "--out", "out.json"]) == 1
    )
    assert "Traceback" in capsys.readouterr().err


def test_argcomplete_gets_the_options_of_the_command_on_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    offered: list[argparse.ArgumentParser] = []
    stand_in = SimpleNamespace(autocomplete=offered.append, __spec__=SimpleNamespace(name="argcomplete"))
    monkeypatch.setitem(sys.modules, "argcomplete", stand_in)
    monkeypatch.setenv("COMP_LINE", "bpr refine --ba")
    assert stopped_with("--version") == 0
    (parser,) = offered
    assert (
        parser.parse_args(["refine", "results.json", "--out", "out.json", "--backend", "openvino"]).backend
        == "openvino"
    )


def test_a_defect_is_one_line_and_a_traceback_on_request(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*given: object, **options: object) -> None:
        raise ZeroDivisionError("first line\nsecond line")

    monkeypatch.setattr("bpr.job.open_source", broken)
    arguments = ["refine", "results.json", "--img-dir", "images", "--out", "out.json"]
    assert main(arguments) == 1
    assert capsys.readouterr().err == "bpr refine: ZeroDivisionError: first line second line; --debug shows where\n"
    assert main([*arguments, "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("converted", [False, True])
def test_interrupted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], converted: bool) -> None:
    """A compiled library that Ctrl-C reaches while it is loaded makes an ImportError of it."""

    def stopped(*given: object, **options: object) -> None:
        if converted:
            raise ImportError("initialization failed") from KeyboardInterrupt()
        raise KeyboardInterrupt

    monkeypatch.setattr("bpr.job.open_source", stopped)
    assert main(["refine", "results.json", "--img-dir", "images", "--out", "out.json"]) == 130
    assert capsys.readouterr().err == "bpr refine: interrupted\n"


@pytest.mark.parametrize("moment", ["numpy", "cv2", "bpr.cli.refine", "bpr.refinement.refiner"])
def test_interrupted_while_something_is_imported(small_set: SmallSet, moment: str) -> None:
    script = small_set.folder / "interrupted.py"
    script.write_text(INTERRUPTS)
    files = [str(small_set.results), "--img-dir", str(small_set.images), "--out", str(small_set.folder / "out.json")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, str(script), moment, "refine", *files], env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 130
    assert ran.stderr in ("bpr: interrupted\n", "bpr refine: interrupted\n")


# Sends itself Ctrl-C when a certain module is imported.
INTERRUPTS = """
import signal, sys
from bpr.cli.main import entry

class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == moment:
            signal.raise_signal(signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
moment = sys.argv.pop(1)
sys.meta_path.insert(0, Interrupts())
entry()
"""
