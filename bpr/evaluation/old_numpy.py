"""Evaluators written for an older numpy, run beside a new one without a change to their files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np

GONE: dict[str, Any] = {"in1d": np.isin, "float": float, "int": int, "bool": bool}
"""What those evaluators ask of numpy, and what does the same today."""


class _OldNumpy:
    """numpy, and behind it the names that it no longer has."""

    def __getattr__(self, name: str) -> Any:
        return GONE[name] if name in GONE else getattr(np, name)


@contextmanager
def old_numpy(*modules: ModuleType) -> Iterator[None]:
    """Inside the block the ``np`` of ``modules`` has its old names; numpy itself stays as it is."""
    before = [module.np for module in modules]
    try:
        for module in modules:
            module.np = _OldNumpy()  # type: ignore[attr-defined]
        yield
    finally:
        for module, own in zip(modules, before, strict=True):
            module.np = own  # type: ignore[attr-defined]
