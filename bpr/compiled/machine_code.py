"""How a loop is compiled: on its first call, without the interpreter's lock, and kept for the next process."""

from __future__ import annotations

from collections.abc import Callable

from numba import njit


def compiled(function: Callable) -> Callable:
    """The function as machine code. No index is checked: it has to keep to its arrays by its own bounds, whatever it is given."""
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:  # no folder to keep it in
        return njit(nogil=True)(function)
