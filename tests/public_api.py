"""What users build on, as text: ``python -m tests.public_api`` writes it to tests/public_api.txt.

A test compares the two, so that a name, an argument, a default or an option changes on purpose, and the change is read in a diff.
"""

from __future__ import annotations

import argparse
import inspect
import os
import re
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import bpr
from bpr import errors
from bpr.backends import named_models
from bpr.backends.presets import PRESETS
from bpr.cli.main import build_parser
from bpr.geometry.options import PatchSpec, Placement, RefineOptions
from bpr.integrations.inferencer import BPRInferencer
from bpr.io.files import atomic_open
from bpr.refinement.batching import InstancePatches
from bpr.refinement.predictor import PatchBatch, Predictor
from bpr.refinement.refiner import Refinement

FILE = Path(__file__).with_suffix(".txt")
CLASSES = (bpr.Refiner, Refinement, InstancePatches, PatchSpec, Placement, RefineOptions, Predictor, PatchBatch, BPRInferencer)
"""Beside what bpr exports: what its docs show users to name, to hold or to write themselves."""
SPECIAL = ("__init__", "__call__", "__len__")


def inventory() -> str:
    """Python names and signatures, then every command with its options."""
    with mock.patch("bpr.refinement.pipeline.DEFAULT_WORKERS", 4):  # it depends on the machine
        parts = [*_package(), *map(_class, CLASSES), _errors(), *_commands(build_parser())]
    return "\n\n".join(parts) + "\n"


def _package() -> Iterator[str]:
    yield "\n".join(["# python -m tests.public_api", "bpr", *(f"    {name}" for name in sorted(bpr.__all__))])
    yield _signature("bpr.load", bpr.load)
    yield "\n".join(["models and presets", *(f"    {name}" for name in ("identity", "oracle", *named_models(), *PRESETS))])


def _class(one: type) -> str:
    """Its own public methods, properties and fields, in the order in which they are written."""
    made_of_fields = "__init__" not in vars(one) or "__dataclass_fields__" in vars(one)
    lines = [_signature("", one)] if made_of_fields else []
    if getattr(one, "_is_protocol", False):
        lines = [f"{name}: {kind}" for name, kind in inspect.get_annotations(one).items()]
    for name, value in vars(one).items():
        function = getattr(value, "__func__", value)
        written = getattr(function, "__module__", None) == one.__module__ and not (lines and name == "__init__")
        if isinstance(value, property) and not name.startswith("_"):
            lines.append(f"{name}: property")
        elif isinstance(function, types.FunctionType) and written and (name in SPECIAL or not name.startswith("_")):
            lines.append(_signature(name, function))
    return "\n    ".join([f"{one.__module__}.{one.__name__}", *lines])


def _signature(name: str, called: Callable[..., Any]) -> str:
    """On one line, annotations as they are written."""
    written = re.sub("[\"']", "", f"{name}{inspect.signature(called)}")
    return re.sub(r"ForwardRef\(([^()]*)\)", r"\1", written)  # of named tuples


def _errors() -> str:
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Exception)]
    return "\n".join(["bpr.errors", *(f"    {one.__name__}({one.__base__.__name__})" for one in kinds if one.__base__)])


def _commands(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield "\n".join(["bpr as a command", *_options(parser)])
    for name, one in _subparsers(parser):
        yield "\n".join([f"bpr {name}", *_options(one)])
        yield from ("\n".join([f"bpr {name} {part}", *_options(below)]) for part, below in _subparsers(one))


def _subparsers(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def _options(parser: argparse.ArgumentParser) -> list[str]:
    hidden = (argparse._HelpAction, argparse._SubParsersAction)
    return [f"    {_option(one)}" for one in parser._actions if not isinstance(one, hidden) and one.help != argparse.SUPPRESS]


def _option(action: argparse.Action) -> str:
    words = [" ".join(action.option_strings) or action.dest]
    if action.choices is not None:
        words.append("{" + ",".join(map(str, action.choices)) + "}")
    if action.nargs not in (None, 0):
        words.append(f"nargs={action.nargs}")
    if action.required and action.option_strings:
        words.append("required")
    if not any(action.default is nothing for nothing in (None, False, argparse.SUPPRESS)):
        words.append(f"= {_shown(action.default)}")
    return " ".join(words)


def _shown(default: Any) -> str:
    return default if isinstance(default, str) else repr(default)


def main() -> None:
    with atomic_open(FILE) as file:
        file.write(inventory())
    print(f"{FILE.name} of {os.fspath(FILE.parent)} written; read its diff")


if __name__ == "__main__":
    main()
