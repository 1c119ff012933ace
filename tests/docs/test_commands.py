"""Every command of the docs parses and names files that exist; quick commands and Python blocks run."""

from __future__ import annotations

import re
import runpy
from argparse import ArgumentParser, _SubParsersAction
from functools import lru_cache
from pathlib import Path

import pytest

from bpr.cli.main import COMMANDS, build_parser, main
from tests.conftest import ROOT
from tests.docs.pages import BLOCK, INLINE, OF_TODAY, PAGES, SHELL, Block, blocks, name_of, prose
from tests.docs.run_pages import python_program
from tests.docs.stage import set_up

QUICK = {"refine", "convert", "eval", "analyze"}
QUICK_PAGES = ("docs/quickstart.md", "docs/faq.md", "docs/evaluation.md")
SHELL_BLOCKS = [block for page in OF_TODAY for block in blocks(page) if block.language in SHELL]
OF_OTHERS = ("mmdetection/tools/test.py",)
"""Scripts that other projects bring."""


def check(words: list[str]) -> None:
    """Fail if a command has options that do not exist, or names a file that does not exist."""
    script = next((word for word in words if word.startswith("tools/")), "")
    command = Path(script).stem.replace("_", "-")
    if words[0] == "bpr":
        build_parser().parse_args(words[1:])
    elif command in COMMANDS:
        build_parser().parse_args([command, *words[words.index(script) + 1 :]])
    elif words[:2] == ["python", "-m"]:
        assert (ROOT / words[2].replace(".", "/")).with_suffix(".py").is_file(), words[2]
    elif words[0] == "python" and words[1].endswith(".py"):
        assert words[1] in OF_OTHERS or (ROOT / words[1]).is_file(), words[1]
        source = (ROOT / script).read_text(encoding="utf-8") if script else ""
        assert [word for word in words if word.startswith("--") and script and word.split("=")[0] not in source] == []
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


@pytest.mark.parametrize(
    "words", [["bpr", "refine", "a.json", "--lost", "1"], ["python", "tools/gone.py"], ["make", "gone"], ["gone"]]
)
def test_a_command_that_does_not_exist_is_found(words: list[str]) -> None:
    with pytest.raises((SystemExit, AssertionError, OSError)):
        check(words)


@lru_cache
def options(command: str) -> set[str]:
    """All options of ``bpr COMMAND`` and of its subcommands."""
    parsers = [subparsers(build_parser())[command]]
    parsers += subparsers(parsers[0]).values()
    return {option for parser in parsers for option in parser._option_string_actions}


def subparsers(parser: ArgumentParser) -> dict[str, ArgumentParser]:
    groups = [action for action in parser._actions if isinstance(action, _SubParsersAction)]
    return {name: subparser for group in groups for name, subparser in group.choices.items()}


@pytest.mark.parametrize("page", OF_TODAY, ids=name_of)
def test_inline_commands_exist_with_their_options(page: Path) -> None:
    for code in INLINE.findall(prose(page)):
        words = code.split()
        if words[0] == "bpr" and len(words) > 1 and not words[1].isupper() and not words[1].startswith("--"):
            assert words[1] in COMMANDS, code
            named = {word.partition("=")[0] for word in words if word.startswith("--")}
            assert named <= options(words[1]), code
        if (
            words[0] == "python"
            and len(words) > 1
            and not re.search(r"[A-Z]{3}", words[2] if words[1] == "-m" else words[1])
        ):
            module = words[2].replace(".", "/") if words[1] == "-m" else None
            candidates = [f"{module}.py", f"{module}/__main__.py"] if module else words[1:2]
            assert any((ROOT / path).is_file() for path in candidates), code


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_block_with_commands_names_its_language(page: Path) -> None:
    plain = [
        match["text"] for match in BLOCK.finditer(page.read_text(encoding="utf-8")) if match["language"] in ("", "text")
    ]
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
    for block in examples:
        runpy.run_path(python_program(block, tmp_path)[1])
