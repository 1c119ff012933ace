"""Every command of the docs is one that the parser takes."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from bpr.cli.main import build_parser
from tests.conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(page: Path) -> list[str]:
    """Lines of shell blocks that begin with ``bpr``, a line that ends with a backslash joined to the next."""
    lines = page.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith("bpr ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_parse(page: Path) -> None:
    for line in commands(page):
        build_parser().parse_args(shlex.split(line, comments=True)[1:])


def test_there_are_commands_to_parse() -> None:
    assert sum(len(commands(page)) for page in PAGES) > 25
