"""Every generated table of the docs equals what its results give."""

from __future__ import annotations

import pytest

from benchmarks.tables.readme_tables import TABLES, pages_with_tables
from tests.docs.pages import TABLE, name_of

FOUND = [
    (name_of(page), table["name"], table["text"])
    for page in pages_with_tables()
    for table in TABLE.finditer(page.read_text("utf-8"))
]


@pytest.mark.parametrize(("page", "name", "text"), FOUND, ids=[f"{page}:{name}" for page, name, _ in FOUND])
def test_a_table_equals_its_results(page: str, name: str, text: str) -> None:
    assert text == TABLES[name](), f"{page}: run python -m benchmarks.tables.readme_tables"


def test_every_table_stands_on_a_page() -> None:
    assert set(TABLES) == {name for _, name, _ in FOUND}
