"""Every command of the docs is one that the parser takes, about files that are there; the quick ones run."""

from __future__ import annotations

import argparse
import re
import runpy
from functools import lru_cache
from pathlib import Path

import pytest

from bpr.cli.main import COMMANDS, build_parser, main
from tests.conftest import ROOT
from tests.docs.pages import BLOCK, INLINE, PAGES, SHELL, Block, blocks, prose
from tests.docs.run_pages import python_program
from tests.docs.stage import set_up

TOOLS = {path.stem: path.stem.replace("_", "-") for path in (ROOT / "tools").glob("*.py") if path.stem != "benchmark"}
QUICK = {"refine", "convert", "eval", "analyze", "synthesize-masks"}
QUICK_PAGES = ("docs/quickstart.md", "docs/faq.md", "docs/evaluation.md")
SHELL_BLOCKS = [block for page in PAGES for block in blocks(page) if block.language in SHELL]


def check(words: list[str]) -> None:
    """A command whose options have other names now, or whose file is gone, is an error."""
    tool = next((word for word in words if word.startswith("tools/") and Path(word).stem in TOOLS), None)
    if words[0] == "bpr":
        build_parser().parse_args(words[1:])
    elif tool:
        build_parser().parse_args([TOOLS[Path(tool).stem], *words[words.index(tool) + 1 :]])
    elif words[:2] == ["python", "-m"]:
        assert (ROOT / words[2].replace(".", "/")).with_suffix(".py").is_file(), words[2]
    elif words[0] == "python" and words[1].endswith(".py"):
        assert (ROOT / words[1]).is_file(), words[1]
    elif words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), words
    else:
        assert words[0] in ("pip", "python", "cat", "export", "srun", "torchrun", "tensorboard"), words
    assert [word for word in words if word.startswith("configs/") and not (ROOT / word).is_file()] == []


@pytest.mark.parametrize("block", SHELL_BLOCKS, ids=lambda block: block.name)
def test_the_commands_of_a_block_parse(block: Block) -> None:
    for words in block.commands():
        check(words)


def test_there_are_commands_to_parse() -> None:
    assert sum(len(block.commands()) for block in SHELL_BLOCKS) > 60


@pytest.mark.parametrize("words", [["bpr", "refine", "a.json", "--lost", "1"], ["python", "tools/gone.py"], ["make", "gone"], ["gone"]])
def test_a_command_that_is_gone_is_seen(words: list[str]) -> None:
    with pytest.raises((SystemExit, AssertionError)):
        check(words)


@lru_cache
def options(command: str) -> set[str]:
    """What ``bpr COMMAND`` may be followed by; of ``bpr``, its commands."""
    subparsers = next(action for action in build_parser()._actions if action.dest == "command")
    parsers = subparsers.choices or {}
    parts = [dict(parsers)[command]]
    for action in parts[0]._actions:
        parts += action.choices.values() if isinstance(action, argparse._SubParsersAction) else []
    return {option for part in parts for option in part._option_string_actions}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_command_between_the_lines_has_its_name_and_options(page: Path) -> None:
    for code in INLINE.findall(prose(page)):
        words = code.split()
        if words[0] == "bpr" and len(words) > 1 and not words[1].isupper() and not words[1].startswith("--"):
            assert words[1] in COMMANDS, code
            named = {word.partition("=")[0] for word in words if word.startswith("--")}
            assert named <= options(words[1]), code
        if words[0] == "python" and len(words) > 1:
            module = words[2].replace(".", "/") if words[1] == "-m" else None
            where = [f"{module}.py", f"{module}/__main__.py"] if module else words[1:2]
            assert any((ROOT / path).is_file() for path in where), code


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_block_with_commands_says_its_language(page: Path) -> None:
    plain = [match["text"] for match in BLOCK.finditer(page.read_text(encoding="utf-8")) if match["language"] in ("", "text")]
    assert [text for text in plain if re.match(r"(bpr|python|make|pip|torchrun) ", text)] == []


@pytest.mark.parametrize("page", QUICK_PAGES)
def test_the_quick_commands_of_a_page_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_up(ROOT / page, tmp_path)
    monkeypatch.chdir(tmp_path)
    lines = [words for block in blocks(ROOT / page) if block.language in SHELL for words in block.commands()]
    quick = [words for words in lines if words[0] == "bpr" and words[1] in QUICK]
    assert quick
    for words in quick:
        assert main(words[1:]) == 0, " ".join(words)


@pytest.mark.parametrize("page", ["docs/index.md", "docs/quickstart.md", "docs/python.md"])
def test_the_python_of_a_page_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_up(ROOT / page, tmp_path)
    monkeypatch.chdir(tmp_path)
    examples = [block for block in blocks(ROOT / page) if block.language == "python"]
    assert examples
    for index, block in enumerate(examples):
        runpy.run_path(python_program(block, tmp_path, index)[1])
