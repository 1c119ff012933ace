"""Options that several commands share."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bpr.errors import BPRError
from bpr.geometry.scheme import PatchScheme

FORMATS = ("coco", "annotations", "panoptic", "cityscapes", "semantic", "masks", "yolo")
"""The readers of bpr.formats.recognise, named here so that --help loads none of them."""


def add_workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", type=int, default=min(4, os.cpu_count() or 1), help="threads that read and cut (results do not depend on it)")


def add_scheme(parser: argparse.ArgumentParser, part: str) -> None:
    parser.add_argument("--config", help=f"config whose refinement.scheme and refinement.{part} give the numbers")
    parser.add_argument("--side", type=int, help=f"patch side in pixels (default: {PatchScheme.side})")
    parser.add_argument("--padding", type=int, help=f"context around a patch in pixels (default: {PatchScheme.padding})")
    parser.add_argument("--nms-iou", type=float, help=f"suppress patches of larger IoU (default: {PatchScheme.nms_iou})")
    parser.set_defaults(scheme_part=part)


def scheme_from(args: argparse.Namespace) -> PatchScheme:
    """The scheme of ``--config`` (or the defaults), changed by the flags."""
    try:
        base = PatchScheme.from_dict(_from_config(args.config, args.scheme_part)) if args.config else PatchScheme()
        return base.changed(side=args.side, padding=args.padding, nms_iou=args.nms_iou)
    except ValueError as error:
        raise BPRError(str(error)) from error


def _from_config(path: str, part: str) -> dict[str, object]:
    from mmengine.config import Config

    refinement = Config.fromfile(path).refinement
    return {**refinement.scheme, **refinement[part]}


def import_training() -> None:
    """Load the training stack or say in one line how to get it."""
    try:
        import bpr.models  # noqa: F401
    except ImportError as error:
        raise BPRError(f"this needs the [train] extra: pip install 'bpr[train]' ({error.name} is missing)") from error


@contextmanager
def progress_bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield ``advance(done)``: a bar with rate and time left on a terminal, a plain line every tenth elsewhere."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.speed:.0f}/s"), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task(title, total=total)
            yield lambda done: progress.update(task, completed=done)
        return
    shown = 0

    def plain(done: int) -> None:
        nonlocal shown
        if total and done * 10 // total > shown:
            shown = done * 10 // total
            print(f"{title}: {done}/{total}", file=sys.stderr, flush=True)

    yield plain
