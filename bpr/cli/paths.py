"""The types of arguments that are paths. They tell inputs from outputs, so that no output can replace an input."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from bpr.errors import BadUsage
from bpr.io.folders import would_replace


class _PathText(str):
    """The text of a path as the user wrote it; never empty."""

    def __new__(cls, text: str) -> _PathText:
        if not text:
            raise argparse.ArgumentTypeError("expected a path or a name, got an empty text")
        return super().__new__(cls, text)


class InputPath(_PathText):
    """The ``type`` of an argument that the command reads."""


class InputName(InputPath):
    """The ``type`` of an input that may also be a name, such as a model; a folder with that name is not the input."""


class OutputPath(_PathText):
    """The ``type`` of an argument that the command replaces. Not for a folder in which a training continues."""

    def written(self) -> list[Path]:
        """Everything that the command writes for this argument; a subclass may add further files."""
        return [Path(self)]


def check_paths(args: argparse.Namespace, also_written: Sequence[Path] = ()) -> None:
    """Check before anything is read that no output would replace an input.

    Args:
        args: the arguments of a command; every path has one of the types above.
        also_written: further paths that the command writes, if they depend on other arguments.

    Raises:
        BadUsage: an output lies where an input or another output lies.
    """
    values: list[object] = []
    for value in vars(args).values():
        values += value if isinstance(value, list) else [value]
    outputs = [path for value in values if isinstance(value, OutputPath) for path in value.written()]
    places = [os.path.realpath(out) for out in outputs]
    if twice := next((out for out, place in zip(outputs, places, strict=True) if places.count(place) > 1), None):
        raise BadUsage(f"{twice}: expected a place of its own for every output, got it twice; choose another output")
    for out in (*outputs, *also_written):
        for given in values:
            # A folder that has the name of a model is not the input.
            is_name = isinstance(given, InputName) and os.path.isdir(given)
            if isinstance(given, InputPath) and not is_name and would_replace(out, given):
                problem = f"expected an output that is not an input, got {given}, which would be overwritten"
                raise BadUsage(f"{out}: {problem}; choose another output")
