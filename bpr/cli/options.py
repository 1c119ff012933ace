"""What commands share: options, types of arguments, progress, problems, and which packages there are."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from typing import Protocol

from bpr.errors import BPRError, amount, install_hint
from bpr.version import __version__

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


def add_polygons(parser: argparse._ActionsContainer) -> None:
    help = "write polygons, also where COCO masks came as RLE; PX: tolerance in pixels, 0 is exact (default: at most 1)"
    parser.add_argument("--polygons", nargs="?", type=tolerance, const=True, metavar="PX", help=help)


def add_workers(parser: argparse._ActionsContainer) -> None:
    from bpr.refinement.pipeline import DEFAULT_WORKERS

    workers = "threads that read images and cut patches; results do not depend on their number"
    parser.add_argument("--workers", type=at_least(1), default=DEFAULT_WORKERS, help=workers)


@contextmanager
def extra(group: str, what: str = "this") -> Iterator[None]:
    """Within the block, a package that cannot be imported is an error that says how to install an extra of setup.py."""
    try:
        yield
    except ImportError as error:
        raise BPRError(f"{what} needs the [{group}] extra: {install_hint(group)} ({error.name} is missing)") from error


def import_training() -> None:
    """Import the training code."""
    with extra("train"):
        import bpr.training.network  # noqa: F401


def versions_of(packages: Sequence[str]) -> dict[str, str | None]:
    """The versions of ``packages``, to record with a number or a file; None where one is not installed.

    >>> versions_of(["bpr"]) == {"bpr": __version__}
    True
    """
    versions: dict[str, str | None] = {}
    for name in packages:
        try:
            versions[name] = __version__ if name == "bpr" else metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions


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
