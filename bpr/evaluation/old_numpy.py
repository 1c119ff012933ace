"""Run evaluators that were written for an older numpy with the installed one, without changing their files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

REMOVED: dict[str, Any] = {"in1d": np.isin, "float": float, "int": int, "bool": bool}
"""Removed names of numpy that these evaluators use, and their replacements."""


class _OldNumpy:
    def __getattr__(self, name: str) -> Any:
        return REMOVED[name] if name in REMOVED else getattr(np, name)


@contextmanager
def old_numpy(module: Any) -> Iterator[None]:
    """Give the ``np`` of a module its removed names inside the block; numpy itself is not changed."""
    before, module.np = module.np, _OldNumpy()
    try:
        yield
    finally:
        module.np = before
