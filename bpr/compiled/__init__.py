"""The innermost loops as machine code, where Numba is installed (the ``[compiled]`` extra).

Where it is not, numpy and OpenCV do the same at every place that asks for :func:`kernels`; masks are equal, bit for bit.
"""

from __future__ import annotations

import warnings
from functools import cache
from types import ModuleType


@cache
def kernels() -> ModuleType | None:
    """:mod:`bpr.compiled.loops`, or None without Numba, with one that is broken or one that is told not to compile."""
    try:
        from numba import config
    except ModuleNotFoundError:
        return None
    except Exception as error:  # whatever it is, it is no reason not to refine
        warnings.warn(f"Numba is installed but cannot be used ({error}); refining goes on without it", RuntimeWarning, stacklevel=2)
        return None
    if config.DISABLE_JIT:  # type: ignore[attr-defined]
        return None
    import bpr.compiled.loops as compiled

    return compiled
