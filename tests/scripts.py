"""The scripts of ``tools/`` that are not subcommands of ``bpr``, called in this process."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from tests.conftest import ROOT


def run_tool(name: str, arguments: Sequence[str]) -> int:
    """The exit code of ``python tools/NAME.py ARGUMENTS``."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return int(module.main([str(argument) for argument in arguments]))
