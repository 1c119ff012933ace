"""Every generated table of the docs says what the results beside it say."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from benchmarks.tables.readme_tables import TABLES, pages_with_tables

BLOCK = re.compile(r"<!-- table:(\w+) -->\n(.*?)\n?<!-- end -->", re.DOTALL)


def blocks() -> Iterator[tuple[str, str, str]]:
    for path in pages_with_tables():
        for name, text in BLOCK.findall(path.read_text(encoding="utf-8")):
            yield path.name, name, text


@pytest.mark.parametrize(("page", "name", "text"), blocks(), ids=lambda value: value if len(value) < 40 else "")
def test_a_table_is_what_its_results_say(page: str, name: str, text: str) -> None:
    assert text == TABLES[name](), f"{page}: run python -m benchmarks.tables.readme_tables"
