"""docs/errors.md lists the messages of the present source, each as a reader can understand it."""

from __future__ import annotations

import pytest

from tests import error_table
from tests.error_table import Row, rows


def test_the_page_lists_the_messages_of_the_source() -> None:
    page = error_table.PAGE.read_text(encoding="utf-8")
    assert page == error_table.page(), "run python -m tests.error_table and read its diff"


def test_the_part_that_is_written_by_hand_is_short() -> None:
    introduction = error_table.PAGE.read_text(encoding="utf-8").partition(error_table.MARKER)[0]
    assert len(introduction.splitlines()) <= 20


@pytest.mark.parametrize(
    ("source", "row"),
    [
        ('raise BPRError(f"{path}: no file; name another")', Row("<path>: no file", "name another", "BPRError")),
        (
            'raise BadMask(f"size: expected {MOST}, got {shown(the_size)}")',
            Row("size: expected <most>, got <the size>", "", "BadMask"),
        ),
        ('MOST = 8\nraise BPRError(f"at most {MOST}")', Row("at most 8", "", "BPRError")),
        (
            'def check(a):\n    do = "end it" if a else "begin"\n    raise BPRError(f"{a[\'score\']}: odd; {do}")',
            Row("<score>: odd", "end it or begin", "BPRError"),
        ),
        (
            "raise BPRError(f'no Flask; {install_hint(\"app\")}') from error",
            Row("no Flask", "pip install 'boundary-patch-refinement[app]'", "BPRError"),
        ),
        ('return BPRError("a " + "b; c")', Row("a b", "c", "BPRError")),
        ('raise argparse.ArgumentTypeError("expected I/N")', Row("expected I/N", "", "ArgumentTypeError")),
    ],
)
def test_a_message_is_a_row(source: str, row: Row) -> None:
    assert list(rows(source)) == [row]


@pytest.mark.parametrize(
    "source",
    [
        "raise BPRError(str(error)) from error",
        'raise BPRError(f"model {model}: {error}") from error',
        'raise ValueError("caught inside the package")',
        "raise KeyError(name)",
    ],
)
def test_what_no_user_reads_by_itself_is_no_row(source: str) -> None:
    assert list(rows(source)) == []
