"""Options that several commands share, and the types of arguments that are numbers of a range."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, Protocol

from bpr.errors import BPRError, amount, install_hint
from bpr.geometry.options import AUTO, command_options
from bpr.io.pixels import PixelOptions

MOST_PROBLEMS_SHOWN = 10


def at_least(least: int) -> Callable[[str], int]:
    """The ``type`` of an argument that is a whole number of ``least`` or more.

    >>> at_least(0)("7")
    7
    """

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"expected a whole number of {least} or more, got {text!r}")
        return int(text)

    return read


def finite(text: str) -> float:
    """The ``type`` of an argument that is a number, and neither NaN nor infinite."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a finite number, got {text!r}")
    return value


def tolerance(text: str) -> float:
    """The ``type`` of an argument that is a number of pixels, 0 or more."""
    value = finite(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"expected 0 or more pixels, got {text!r}")
    return value


def caution(text: str) -> float | str:
    """The ``type`` of ``--caution``: a number, or ``auto``."""
    try:
        return text if text == AUTO else finite(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"expected auto or a number, got {text!r}") from error


def stretch(text: str) -> str | tuple[float, ...]:
    """The ``type`` of ``--stretch``: a word, or two percentiles."""
    return tuple(map(finite, text.split(","))) if "," in text else text


def bands(text: str) -> tuple[int, ...]:
    """The ``type`` of ``--bands``: whole numbers with commas between them."""
    return tuple(map(at_least(1), text.split(",")))


def add_pixel_options(parser: argparse._ActionsContainer) -> None:
    """The fields of :class:`~bpr.io.pixels.PixelOptions`."""
    what = "values that are black and white: minmax, none, or two percentiles (default: by the depth, else 0.1,99.9)"
    parser.add_argument("--stretch", type=stretch, metavar="LOW,HIGH", help=what)
    which = "one band or three, counted from 1 (default: the first three, or the first)"
    parser.add_argument("--bands", "--channel", type=bands, metavar="N[,N,N]", help=which)
    page = "page of a TIFF, counted from 1 (default: the first)"
    parser.add_argument("--page", type=at_least(1), metavar="N", help=page)


def add_polygons(parser: argparse._ActionsContainer) -> None:
    help = "write polygons, also where masks came as RLE; PX: tolerance in pixels, 0 is exact (default: at most 1)"
    parser.add_argument("--polygons", nargs="?", type=tolerance, const=True, metavar="PX", help=help)


def add_workers(parser: argparse._ActionsContainer) -> None:
    from bpr.refinement.pipeline import DEFAULT_WORKERS

    workers = "threads that read images and cut patches; results do not depend on their number"
    parser.add_argument("--workers", type=at_least(1), default=DEFAULT_WORKERS, help=workers)


def add_refine_options(parser: argparse._ActionsContainer) -> None:
    """The options to refine with; by default the model decides."""

    for field in command_options():
        help, metavar, choices = (field.metadata[name] for name in ("help", "metavar", "choices"))
        shape = {"choices": list(choices)} if choices else {"metavar": metavar}
        name = f"--{field.name.replace('_', '-')}"
        kind = caution if field.name == "caution" else type(field.default)
        parser.add_argument(name, type=kind, help=f"{help} (default: the model's)", **shape)


def refine_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options to refine with, and those of pixels, that were given; None for the others."""

    return {field.name: getattr(args, field.name) for field in (*command_options(), *fields(PixelOptions))}


def import_training() -> None:
    """Import the training code; a missing dependency is an error that says how to install it."""
    try:
        import bpr.training.network  # noqa: F401
    except ImportError as error:
        raise BPRError(f"this needs the [train] extra: {install_hint('train')} ({error.name} is missing)") from error


def import_detection() -> None:
    """Import the code for MMDetection; a missing dependency is an error that says how to install it."""
    try:
        import bpr.integrations.mmdetection  # noqa: F401
    except ImportError as error:
        raise BPRError(f"this needs the [mmdet] extra: {install_hint('mmdet')} ({error.name} is missing)") from error


class Advance(Protocol):
    """Shows how much is done, and from then on another total, if there is one."""

    def __call__(self, done: int, total: int | None = None) -> None: ...


@contextmanager
def progress_bar(title: str, total: int) -> Iterator[Advance]:
    """Yield an :class:`Advance`: it draws a bar on a terminal and prints a line per tenth of ``total`` elsewhere,
    with the minutes that are left, if any.
    """
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        rate = TextColumn("{task.fields[rate]}")
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task(title, total=total, rate="")

            def move(done: int, total: int | None = None) -> None:
                rate = f"{progress.tasks[task].speed or 0:.0f}/s"
                progress.update(task, completed=done, total=total, rate=rate)

            yield move
        return
    shown, known, began = 0, total, (0, 0.0)

    def plain(done: int, total: int | None = None) -> None:
        nonlocal shown, known, began
        total, now = total or known, time.monotonic()
        known = total
        if not began[0]:
            began = (done, now)  # what was done before a resumed run
        if total and done * 10 // total > shown:
            shown = done * 10 // total
            minutes = (now - began[1]) * (total - done) / max(done - began[0], 1) / 60
            left = f", about {amount(round(minutes), 'minute')} left" if minutes >= 1 else ""
            print(f"{title}: {done}/{total}{left}", file=sys.stderr, flush=True)

    yield plain


def print_problems(problems: Sequence[str]) -> None:
    """Print the first problems to stderr, and how many more there are."""
    for problem in problems[:MOST_PROBLEMS_SHOWN]:
        print(problem, file=sys.stderr)
    if len(problems) > MOST_PROBLEMS_SHOWN:
        print(f"... and {len(problems) - MOST_PROBLEMS_SHOWN} more", file=sys.stderr)
