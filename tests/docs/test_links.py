"""Every relative link of the docs leads to an existing file and heading, and every page starts with its purpose."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs.pages import DOCS, INLINE, LINK, OF_TODAY, PAGES, anchors, name_of, prose

ELSEWHERE = ("http://", "https://", "mailto:")
FOLDERS = ("bpr/", "tools/", "tests/", "benchmarks/", "configs/", "docs/")
ENDINGS = (".py", ".sh", ".md", ".yml", ".onnx", ".json", "/")


def broken(page: Path) -> list[str]:
    """The links of a page that lead nowhere."""
    wrong = []
    for match in LINK.finditer(INLINE.sub("", prose(page))):
        path, _, anchor = match["target"].partition("#")
        target = (page.parent / path).resolve() if path else page
        if match["target"].startswith(ELSEWHERE):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(match["target"])
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A `b` c!\n[1](#a-b-c) [2](#nothing) [3](page.md#a-b-c) [4](gone.md) [5](https://x.y)\n"
        "```sh\n[6](gone)\n```\n"
    )
    assert broken(page) == ["#nothing", "gone.md"]


@pytest.mark.parametrize("page", OF_TODAY, ids=name_of)
def test_files_that_a_page_names_exist(page: Path) -> None:
    codes = [code.split(" --out ")[0] for code in INLINE.findall(prose(page))]
    named = {word for code in codes for word in code.split() if word.startswith(FOLDERS) and word.endswith(ENDINGS)}
    plain = {word for word in named if not any(mark in word for mark in "*{<") and word == word.lower()}
    assert [word for word in sorted(plain) if not (ROOT / word).exists()] == []


@pytest.mark.parametrize("page", DOCS, ids=name_of)
def test_a_page_starts_with_its_purpose(page: Path) -> None:
    title, *rest = page.read_text(encoding="utf-8").strip().splitlines()
    first = next(line for line in rest if line.strip() and not line.startswith("<!-- not run: "))
    assert title.startswith("# ")
    assert first[0].isalnum() or first.startswith(("`", "*", "["))


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 1000


def test_the_glossary_is_short() -> None:
    terms = [
        line
        for line in (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| **")
    ]
    assert 20 <= len(terms) <= 30
