"""Whether the innermost loops run as machine code: where numba is installed (the ``[compiled]`` extra), else in numpy."""

from __future__ import annotations

from functools import cache
from types import ModuleType


@cache
def kernels() -> ModuleType | None:
    """:mod:`bpr.geometry.kernels`, or None without numba; masks are the same, bit for bit."""
    try:
        import bpr.geometry.kernels as compiled
    except ImportError:
        return None
    return compiled
