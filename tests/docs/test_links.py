"""Every relative link of the README and the docs leads to a file that is there, and to a heading in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs.pages import INLINE, LINK, PAGES, anchors, prose

LOOSE = ("http://", "https://", "mailto:")
PARTS = ("bpr/", "tools/", "tests/", "benchmarks/", "configs/", "docs/")
KINDS = (".py", ".sh", ".md", ".yml", ".onnx", ".json", "/")


def broken(page: Path) -> list[str]:
    """The links of a page that lead nowhere."""
    wrong = []
    for match in LINK.finditer(INLINE.sub("", prose(page))):
        path, _, anchor = match["target"].partition("#")
        target = (page.parent / path).resolve() if path else page
        if match["target"].startswith(LOOSE):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(match["target"])
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A `b` c!\n[1](#a-b-c) [2](#nothing) [3](page.md#a-b-c) [4](gone.md) [5](https://x.y)\n```sh\n[6](gone)\n```\n")
    assert broken(page) == ["#nothing", "gone.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    codes = [code.split(" --out ")[0] for code in INLINE.findall(prose(page))]
    named = {word for code in codes for word in code.split() if word.startswith(PARTS) and word.endswith(KINDS)}
    plain = {word for word in named if not any(mark in word for mark in "*{<") and word == word.lower()}
    assert [word for word in sorted(plain) if not (ROOT / word).exists()] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent.name == "docs"], ids=lambda page: page.name)
def test_a_page_says_first_what_it_is_for(page: Path) -> None:
    title, *rest = page.read_text(encoding="utf-8").strip().splitlines()
    said = next(line for line in rest if line.strip())
    assert title.startswith("# ")
    assert said[0].isalnum() or said.startswith(("`", "*", "["))
