"""The public names, signatures and options are those of tests/public_api.txt."""

from __future__ import annotations



from tests import public_api


def test_the_public_api_is_the_inventory() -> None:
    kept, found = (text.splitlines() for text in (public_api.FILE.read_text(encoding="utf-8"), public_api.inventory()))
    change = [f"- {line}" for line in kept if line not in found] + [f"+ {line}" for line in found if line not in kept]
    assert kept == found, "\n".join(["meant? then: python -m tests.public_api, a line in CHANGELOG.md, and the diff", *change])
