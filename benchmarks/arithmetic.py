"""The same process with and without the compiled kernels."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bpr.compiled import kernels

MODULE = "numba"


@contextmanager
def numpy_alone() -> Iterator[None]:
    """As where numba is not installed."""
    compiled = sys.modules.get(MODULE)
    sys.modules[MODULE] = None  # type: ignore[assignment]  # what makes an import fail
    kernels.cache_clear()
    try:
        yield
    finally:
        del sys.modules[MODULE]
        if compiled is not None:
            sys.modules[MODULE] = compiled
        kernels.cache_clear()
