"""The paths of a command: none is empty, and no output takes the place of an input."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from bpr.errors import BadUsage
from bpr.io.folders import MARK

INPUTS = (
    "results", "before", "masks", "ann", "img_dir", "images",
    "model", "config", "checkpoint", "checkpoints", "weights", "det_config", "det_weights",
)  # fmt: skip
"""Arguments of any command that name what it reads."""
NAMED = ("model", "config")
"""Those that may go by a word: a folder of that name is something else."""
OUTPUTS = ("out", "markdown", "save_per_instance")
"""Those that name what it writes anew. A work directory is none: a training goes on in it."""


def check_paths(args: argparse.Namespace) -> None:
    """Check what a command was given before anything is read; where it also writes, its default ``beside`` says.

    Raises:
        BadUsage: an empty path, or an output where an input lies.
    """
    inputs, outputs = list(_given(args, INPUTS)), list(_given(args, OUTPUTS))
    for name, path in (*inputs, *outputs):
        if not path:
            raise BadUsage(f"{name}: expected a path or a name, got an empty text")
    places = [Path(out) for _, out in outputs] + (args.beside(args) if "beside" in args else [])
    for out in places:
        for name, path in inputs:
            if not (name in NAMED and os.path.isdir(path)) and _would_lose(out, path):
                raise BadUsage(f"{out}: expected an output apart from the inputs, got {path}, which would be lost; choose another output")


def _given(args: argparse.Namespace, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """(name, path) of all that were given."""
    for name in names:
        value = getattr(args, name, None)
        yield from ((name, path) for path in (value if isinstance(value, list) else [value]) if path is not None)


def _would_lose(out: Path, given: str) -> bool:
    """Whether ``given`` lies at ``out``, or in a folder of ours there, which is replaced as a whole."""
    if not (os.path.exists(out) and os.path.exists(given)):
        return False
    replaced = (out / MARK).is_file() and Path(os.path.realpath(given)).is_relative_to(os.path.realpath(out))
    return replaced or os.path.samefile(out, given)
