"""Options that several commands share."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from bpr.cli.numbers import at_least
from bpr.configs import find_config
from bpr.errors import BPRError
from bpr.geometry.scheme import BLENDS, KINDS, PatchScheme

FORMATS = ("coco", "annotations", "panoptic", "cityscapes", "semantic", "masks", "yolo")
"""The readers of bpr.formats.recognise, named here so that --help loads none of them."""
PRESETS = ("accurate", "balanced", "fast")
"""Those of bpr.backends.presets, named here for the same reason."""
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


def add_scheme(parser: argparse.ArgumentParser, part: Literal["train", "test"]) -> None:
    parser.add_argument("--config", help=f"config whose refinement.scheme and refinement.{part} give the numbers")
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
    """What made a number or a file; None for a checkout that is not installed."""
    from importlib import metadata  # takes longer to load than all of bpr --help

    installed = {name for name in packages if any(metadata.distributions(name=name))}
    return {name: metadata.version(name) if name in installed else None for name in packages}


def import_training() -> None:
    """Load the training stack or say in one line how to get it."""
    try:
        import bpr.training.network  # noqa: F401
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
