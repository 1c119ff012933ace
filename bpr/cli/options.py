"""Options that several commands share."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from typing import Literal

import bpr
from bpr.cli.numbers import at_least
from bpr.cli.paths import InputName
from bpr.configs import find_config
from bpr.errors import BPRError, install_hint
from bpr.geometry.scheme import BLENDS, KINDS, PatchScheme

MOST_PROBLEMS_SHOWN = 10


def add_workers(parser: argparse.ArgumentParser) -> None:
    threads = min(4, os.cpu_count() or 1)
    parser.add_argument(
        "--workers",
        type=at_least(1),
        default=threads,
        help="threads that read images and cut patches; results do not depend on their number",
    )


def add_scheme(parser: argparse.ArgumentParser, part: Literal["train", "test"]) -> None:
    parser.add_argument(
        "--config", type=InputName, help=f"config whose refinement.scheme and refinement.{part} give the numbers"
    )
    _add_numbers(parser, str(PatchScheme.kind), str(PatchScheme.side), str(PatchScheme.padding), str(PatchScheme.nms_iou))
    parser.set_defaults(scheme_part=part)


def add_model_scheme(parser: argparse.ArgumentParser) -> None:
    """The scheme of a trained model: where to look may change, what it was trained with may only be said."""
    _add_numbers(parser, *["the model's"] * 4)
    blend = "where patches overlap: their mean, or the middle of a patch counts more (default: the model's)"
    parser.add_argument("--blend", choices=BLENDS, help=blend)
    caution = "change only what the network is surer of than one half by P: harms fewer masks, for a little F (default: the model's)"
    parser.add_argument("--caution", type=float, metavar="P", help=caution)
    wide = "first refine large instances by patches of this side; 0: none (default: the model's)"
    parser.add_argument("--wide", type=int, metavar="PX", help=wide)
    passes = "look at a mask at most so many times (default: the model's)"
    parser.add_argument("--passes", type=int, metavar="N", help=passes)
    withdrawn = "look again only where the boundary has withdrawn N pixels into the mask; 0: everywhere (default: the model's)"
    parser.add_argument("--withdrawn", type=float, metavar="PX", help=withdrawn)
    parser.add_argument("--keep", type=float, metavar="SHARE", help="spend this share of an image's patches, where masks look worst")
    parser.add_argument("--max-patches", type=int, metavar="N", help="spend at most N patches on an image")


def _add_numbers(parser: argparse.ArgumentParser, kind: str, side: str, padding: str, nms_iou: str) -> None:
    parser.add_argument("--scheme", choices=KINDS, help=f"where patches lie: boundary, grid cells, whole instance (default: {kind})")
    parser.add_argument("--side", type=int, metavar="PX", help=f"patch side (default: {side})")
    parser.add_argument("--padding", type=int, metavar="PX", help=f"context around a patch (default: {padding})")
    parser.add_argument("--nms-iou", type=float, metavar="IOU", help=f"dense: suppress patches of larger IoU (default: {nms_iou})")


def scheme_options(args: argparse.Namespace) -> dict[str, object]:
    """The values of :class:`PatchScheme` that were given, None for the others."""
    given = {"kind": args.scheme, "side": args.side, "padding": args.padding, "nms_iou": args.nms_iou}
    chosen = ("blend", "caution", "wide", "passes", "withdrawn", "keep", "max_patches")
    return {**given, **{name: getattr(args, name, None) for name in chosen}}


def scheme_from(args: argparse.Namespace) -> PatchScheme:
    """The scheme of ``--config`` (or the defaults), changed by the flags."""
    try:
        base = _scheme_of(args.config, args.scheme_part) if args.config else PatchScheme()
        return base.changed(**scheme_options(args))
    except ValueError as error:
        raise BPRError(str(error)) from error


def _scheme_of(config: str, part: Literal["train", "test"]) -> PatchScheme:
    from mmengine.config import Config

    return PatchScheme.from_refinement(Config.fromfile(find_config(config)).refinement, part)


def versions_of(packages: Sequence[str]) -> dict[str, str | None]:
    """The versions of ``packages``, to record beside a number or a file; None where one is not installed.

    >>> versions_of(["bpr"]) == {"bpr": bpr.__version__}
    True
    """
    versions: dict[str, str | None] = {}
    for name in packages:
        try:
            versions[name] = bpr.__version__ if name == "bpr" else metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def import_training() -> None:
    """Import the training code; a missing dependency is an error that says how to install it."""
    try:
        import bpr.training  # noqa: F401
    except ImportError as error:
        raise BPRError(f"this needs the [train] extra: {install_hint('train')} ({error.name} is missing)") from error


def import_detection() -> None:
    """Import the code for MMDetection; a missing dependency is an error that says how to install it."""
    try:
        import bpr.integrations.mmdetection  # noqa: F401
    except ImportError as error:
        raise BPRError(f"this needs the [mmdet] extra: {install_hint('mmdet')} ({error.name} is missing)") from error


@contextmanager
def progress_bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield ``advance(done)``: it draws a bar on a terminal and prints a line per tenth of ``total`` elsewhere."""
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
    """Print the first problems to stderr, and how many more there are."""
    for problem in problems[:MOST_PROBLEMS_SHOWN]:
        print(problem, file=sys.stderr)
    if len(problems) > MOST_PROBLEMS_SHOWN:
        print(f"... and {len(problems) - MOST_PROBLEMS_SHOWN} more", file=sys.stderr)
