"""How a loop is compiled: on its first call, without the interpreter's lock, and kept for the next process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache, IndexDataCacheFile


def compiled(function: Callable) -> Callable:
    """The function as machine code. It checks no index: callers see to shapes and dtypes, the function to positions."""
    machine = njit(nogil=True)(function)
    with suppress(Exception):  # no folder to keep it in, or a Numba that keeps its code in another way
        machine._cache = _Kept(function)  # type: ignore[attr-defined]
    return machine


class _Kept(FunctionCache):
    """Numba's files of machine code, where anything that is wrong with them costs a compilation and nothing else.

    Numba takes a file for what its index says it is. Two first runs at once, a full disk or a kill may leave an index
    and files that do not belong together, so what was read is compared with what was asked for, and the files of another source
    have other names.
    """

    def __init__(self, function: Callable) -> None:
        super().__init__(function)
        source = sha256(Path(function.__code__.co_filename).read_bytes()).hexdigest()
        name = f"{self._impl.filename_base}-{source[:12]}"
        self._cache_file = IndexDataCacheFile(self._cache_path, name, self._impl.locator.get_source_stamp())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        with suppress(Exception):
            found = super().load_overload(sig, target_context)
            if found is not None and tuple(found.signature.args) == tuple(getattr(sig, "args", sig)):
                return found
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except Exception:
            with suppress(Exception):  # a new index, where there is room for one
                self.flush()
                super().save_overload(sig, data)
