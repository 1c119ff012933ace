"""The site that ``make docs`` builds is complete and loads nothing from elsewhere."""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs.pages import DOCS

SITE = ROOT / "site"
LOADED = {"stylesheet", "icon", "preload", "preconnect"}


class Loaded(HTMLParser):
    """The addresses of everything that a page loads."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        name = "href" if tag == "link" and found.get("rel") in LOADED else "src"
        if found.get(name) and not str(found[name]).startswith("data:"):
            self.addresses.append(str(found[name]))


@pytest.fixture(scope="module")
def pages() -> list[Path]:
    found = sorted(SITE.rglob("*.html"))
    assert found or os.environ.get("CI") != "true", "CI builds the site"
    if not found:
        pytest.skip("the site is not built here (make docs)")
    return found


def test_a_page_needs_no_network(pages: list[Path]) -> None:
    assert {address for page in pages for address in Loaded(page).addresses if re.match(r"(\w+:)?//", address)} == set()


def test_what_a_page_loads_exists(pages: list[Path]) -> None:
    for page in pages:
        if page.name != "404.html":  # served for any address, so its links are absolute
            assert [address for address in Loaded(page).addresses if not (page.parent / address).exists()] == [], (
                page.name
            )


def test_every_page_of_the_docs_is_on_the_site(pages: list[Path]) -> None:
    site = {page.relative_to(SITE).with_suffix("") for page in pages}
    assert {page.relative_to(ROOT / "docs").with_suffix("") for page in DOCS} <= site
