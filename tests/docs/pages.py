"""Reads the pages of the docs: blocks of commands, inline code, links and headings.

A block that cannot run on small made-up data has a comment above it that says why: ``<!-- not run: eight GPUs -->``.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

DOCS = sorted((ROOT / "docs").glob("*.md")) + sorted((ROOT / "docs" / "appendix").glob("*.md"))
OUTSIDE = [
    ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "benchmarks/README.md")
]
PAGES = [page for page in OUTSIDE if page.is_file()] + DOCS
OF_TODAY = [page for page in PAGES if page.name != "CHANGELOG.md"]
"""The pages that describe the current code; the changelog also names commands and files that are gone."""
SHELL = ("sh", "bash", "console")

BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>[^>]+?) -->\n+)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
TABLE = re.compile(r"<!-- table:(?P<name>\w+) -->\n(?P<text>.*?)\n?<!-- end -->", re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block of a page; ``reason`` says why it is not run and is empty if it is."""

    page: Path
    line: int
    language: str
    text: str
    reason: str

    @property
    def name(self) -> str:
        return f"{name_of(self.page)}:{self.line}"

    def commands(self) -> list[list[str]]:
        """The words of every line of a shell block; a line that ends with a backslash is joined with the next."""
        words = [shlex.split(line, comments=True) for line in self.text.replace("\\\n", " ").splitlines()]
        return [line for line in words if line]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[Block]:
    """The shell and Python blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found = [
        Block(page, text.count("\n", 0, match.start("text")), match["language"], match["text"], match["reason"] or "")
        for match in BLOCK.finditer(text)
    ]
    return [block for block in found if block.language in (*SHELL, "python")]


def prose(page: Path) -> str:
    """The page without its blocks and its generated tables."""
    return BLOCK.sub("", TABLE.sub("", page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and the site spell them."""
    headings = (re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading) for heading in HEADING.findall(prose(page)))
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}
