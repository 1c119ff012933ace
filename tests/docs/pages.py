"""What stands on a page of the docs: blocks of commands, code between the lines, links and anchors.

A block that cannot run where the pages are checked says why, in a comment that no reader sees: ``<!-- not run: eight GPUs -->``.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

OUTSIDE = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "benchmarks/README.md")]
PAGES = [page for page in OUTSIDE if page.is_file()] + sorted((ROOT / "docs").glob("*.md"))
SHELL = ("sh", "bash", "console")

BLOCK = re.compile(r"^(?:<!-- not run: (?P<reason>[^>]+?) -->\n+)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block of a page; ``reason``: why it is not run, empty where it is."""

    page: Path
    line: int
    language: str
    text: str
    reason: str

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.line}"

    def commands(self) -> list[list[str]]:
        """The words of every line of a shell block; a line that ends with a backslash goes on in the next."""
        words = [shlex.split(line, comments=True) for line in self.text.replace("\\\n", " ").splitlines()]
        return [line for line in words if line]


def blocks(page: Path) -> list[Block]:
    """The shell and Python blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found = [
        Block(page, text.count("\n", 0, match.start("text")), match["language"], match["text"], match["reason"] or "")
        for match in BLOCK.finditer(text)
    ]
    return [block for block in found if block.language in (*SHELL, "python")]


def prose(page: Path) -> str:
    """The page without its blocks."""
    return BLOCK.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """What a link to the page may end with, as GitHub and the site spell it."""
    headings = (re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading) for heading in HEADING.findall(prose(page)))
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}
