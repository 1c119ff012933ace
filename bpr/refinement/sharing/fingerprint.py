"""What decides the result of a run, as digests: two runs with equal fingerprints may share their work."""

from __future__ import annotations

import hashlib
from pathlib import Path

from bpr.io.files import sha256_of


def digest(path: str | Path) -> str:
    """Of the content of a file, or of the names and contents of all files in a folder."""
    path = Path(path)
    if not path.is_dir():
        return sha256_of(path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    lines = [f"{file.relative_to(path).as_posix()}\t{sha256_of(file)}\n" for file in files]
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
