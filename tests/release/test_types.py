"""The types of the package fit a user's program, and are not Any."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT


def test_a_users_program_passes_the_strict_type_check() -> None:
    pytest.importorskip("mypy")
    options = ["--strict", "--follow-imports", "silent", "--config-file", "pyproject.toml"]
    command = [sys.executable, "-m", "mypy", *options, "tests/release/typed_program.py"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
