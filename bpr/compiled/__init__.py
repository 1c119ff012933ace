"""The innermost loops as machine code, where Numba is installed (the ``[compiled]`` extra).

Every caller of :func:`kernels` has a second path in numpy and OpenCV; both give the same masks, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType

from bpr.errors import warn_caller


@cache
def kernels() -> ModuleType | None:
    """:mod:`bpr.compiled.loops`, or None if Numba is missing, broken or disabled (``NUMBA_DISABLE_JIT``)."""
    try:
        from numba import config

        if config.DISABLE_JIT:  # type: ignore[attr-defined]
            return None
        import bpr.compiled.loops as loops
    except ModuleNotFoundError:
        return None
    except Exception as error:  # whatever is wrong with Numba, refining works without it
        text = f"Numba is installed but cannot be used ({error}); refining continues without it"
        warn_caller(text, RuntimeWarning)
        return None
    return loops


@contextmanager
def uncompiled() -> Iterator[None]:
    """Use numpy and OpenCV even if Numba is installed: for tests and measurements that compare both."""
    try:
        from numba import config
    except Exception:  # there is nothing to switch off
        yield
        return
    before, config.DISABLE_JIT = config.DISABLE_JIT, 1  # type: ignore[attr-defined]
    kernels.cache_clear()
    try:
        yield
    finally:
        config.DISABLE_JIT = before  # type: ignore[attr-defined]
        kernels.cache_clear()
