"""The public names, signatures and options are those of tests/public_api.txt."""

from __future__ import annotations

import subprocess
import sys

from tests import public_api
from tests.conftest import ROOT


def test_the_public_api_is_the_inventory() -> None:
    kept, found = (text.splitlines() for text in (public_api.FILE.read_text(encoding="utf-8"), public_api.inventory()))
    change = [f"- {line}" for line in kept if line not in found] + [f"+ {line}" for line in found if line not in kept]
    assert kept == found, "\n".join(["meant? then: python -m tests.public_api, a line in CHANGELOG.md, and read the diff", *change])


def test_importing_bpr_loads_nothing_else_and_warns_of_nothing() -> None:
    code = "import sys, __future__, typing; before = set(sys.modules); import bpr; print(sorted(set(sys.modules) - before))"
    ran = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ran.stdout == "['bpr']\n", ran.stdout + ran.stderr
