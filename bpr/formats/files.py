"""Files written whole or not at all, JSON read with one clear line when it cannot be."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from bpr.errors import BPRError


@contextmanager
def atomic_open(path: str | Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a temporary file beside ``path`` and move it there once the block has ended well."""
    path = Path(path)
    handle, temporary = _temporary_beside(path)
    try:
        with os.fdopen(handle, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def check_writable(path: str | Path) -> None:
    """Fail before the work and not after it.

    Raises:
        BPRError: ``path`` cannot be written.
    """
    handle, temporary = _temporary_beside(Path(path))
    os.close(handle)
    os.unlink(temporary)


def _temporary_beside(path: Path) -> tuple[int, str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise BPRError(f"{path}: cannot write there ({error.strerror}); choose another output") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def read_json(path: str | Path, what: str) -> Any:
    """Parse ``path``; ``what`` names it in the error."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        raise BPRError(f"{path}: no such file; expected {what}") from None
    except IsADirectoryError:
        raise BPRError(f"{path}: is a folder; expected {what}") from None
    except (ValueError, RecursionError) as error:
        raise BPRError(f"{path}: not valid JSON ({error}); expected {what}") from None


def write_json(path: str | Path, value: Any, indent: int | None = None) -> None:
    """Write ``value`` atomically."""
    with atomic_open(path) as file:
        json.dump(value, file, indent=indent)
