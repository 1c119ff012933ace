"""The innermost loops as machine code, where Numba is installed (the ``[compiled]`` extra).

Where it is not, numpy and OpenCV do the same at every place that asks for :func:`kernels`; masks are equal, bit for bit.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType


@cache
def kernels() -> ModuleType | None:
    """:mod:`bpr.compiled.loops`, or None without Numba."""
    try:
        import bpr.compiled.loops as compiled
    except ImportError:
        return None
    return compiled
