"""Options that several commands share."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bpr.cli.numbers import at_least
from bpr.configs import find_config
from bpr.errors import BPRError
from bpr.geometry.options import PatchSpec, Placement, RefineOptions, command_options, from_config

PRESETS = ("accurate", "balanced", "fast")
"""Those of bpr.backends.presets, named here so that --help loads none of them."""
METRICS = (
    "ap", "boundary-ap", "matched", "af-matched", "af-tp", "af-semantic", "mba", "trimap", "lvis-ap", "cityscapes-ap", "pq",
)  # fmt: skip
"""Those of bpr.evaluation.metrics."""
BACKENDS = (
    "auto", "onnxruntime-tensorrt", "onnxruntime-cuda", "openvino-bf16", "openvino", "onnxruntime", "torch-bf16", "torch",
)  # fmt: skip
"""Those of bpr.backends.registry."""
PROTOCOLS = ("coco", "lvis", "cityscapes")
"""Those of bpr.evaluation.case."""
MOST_PROBLEMS_SHOWN = 10


def add_workers(parser: argparse.ArgumentParser) -> None:
    threads = min(4, os.cpu_count() or 1)
    parser.add_argument("--workers", type=at_least(1), default=threads, help="threads that read and cut; results do not depend on it")


def add_patch_options(parser: argparse.ArgumentParser) -> None:
    """How training patches are cut: the numbers of a config, or single ones."""
    parser.add_argument("--config", help="config whose refinement.patch and refinement.train give the numbers")
    for owner in (PatchSpec, Placement):
        _add_fields(parser, owner, "the config's, or {default}")


def add_refine_options(parser: argparse.ArgumentParser) -> None:
    """The options to refine with; by default the model decides."""
    _add_fields(parser, RefineOptions, "the model's")


def _add_fields(parser: argparse.ArgumentParser, owner: type[PatchSpec | Placement], default: str) -> None:
    for field in command_options(owner):
        about, choices = field.metadata, field.metadata["choices"]
        help = f"{about['help']} (default: {default.format(default=field.default)})"
        kind = str if choices else int if field.type in ("int", "int | None") else float
        shape = {"choices": list(choices)} if choices else {"metavar": about["metavar"]}
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, help=help, **shape)


def refine_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options to refine with that were given; None for the others."""
    return {field.name: getattr(args, field.name) for field in command_options(RefineOptions)}


def patch_options(args: argparse.Namespace) -> tuple[PatchSpec, Placement]:
    """How training patches are cut, as the config and the options say."""
    try:
        spec, options = _config_options(args.config) if args.config else (PatchSpec(), RefineOptions())
        return (
            spec.changed(**{field.name: getattr(args, field.name) for field in command_options(PatchSpec)}),
            options.placement.changed(**{field.name: getattr(args, field.name) for field in command_options(Placement)}),
        )
    except ValueError as error:
        raise BPRError(str(error)) from error


def _config_options(config: str) -> tuple[PatchSpec, RefineOptions]:
    from mmengine.config import Config

    return from_config(Config.fromfile(find_config(config)).refinement, "train")


def versions_of(packages: Sequence[str]) -> dict[str, str | None]:
    """What made a number or a file; None for a checkout that is not installed."""
    from importlib import metadata  # takes longer to load than all of bpr --help

    installed = {name for name in packages if any(metadata.distributions(name=name))}
    return {name: metadata.version(name) if name in installed else None for name in packages}


def import_training() -> None:
    """Load the training stack or say in one line how to get it."""
    try:
        import bpr.training  # noqa: F401
    except ImportError as error:
        raise BPRError(f"this needs the [train] extra: pip install 'bpr[train]' ({error.name} is missing)") from error


def import_detection() -> None:
    """Load MMDetection with our part of it, or say in one line how to get it."""
    try:
        import bpr.integrations.mmdetection  # noqa: F401
    except ImportError as error:
        raise BPRError(f"this needs the [mmdet] extra: pip install 'bpr[mmdet]' ({error.name} is missing)") from error


@contextmanager
def progress_bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield ``advance(done)``: a bar with rate and time left on a terminal, a plain line every tenth elsewhere."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        rate = TextColumn("{task.fields[rate]}")
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task(title, total=total, rate="")

            def move(done: int) -> None:
                progress.update(task, completed=done, rate=f"{progress.tasks[task].speed or 0:.0f}/s")

            yield move
        return
    shown = 0

    def plain(done: int) -> None:
        nonlocal shown
        if total and done * 10 // total > shown:
            shown = done * 10 // total
            print(f"{title}: {done}/{total}", file=sys.stderr, flush=True)

    yield plain


def print_problems(problems: Sequence[str]) -> None:
    """The first of them on stderr, and how many more there are."""
    for problem in problems[:MOST_PROBLEMS_SHOWN]:
        print(problem, file=sys.stderr)
    if len(problems) > MOST_PROBLEMS_SHOWN:
        print(f"... and {len(problems) - MOST_PROBLEMS_SHOWN} more", file=sys.stderr)
