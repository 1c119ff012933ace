"""``bpr convert-checkpoint``: weights that others trained, or an exported file -> a checkpoint of ours, and what of them fits."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bpr.cli.options import import_training
from bpr.errors import BPRError

if TYPE_CHECKING:
    from bpr.training.conversion import Fit

HELP = "turn the authors' released weights, or an exported model, into a checkpoint of a config"
EXAMPLE = "bpr convert-checkpoint CONFIG.py released.pth --out bpr_w18s.pth"
MOST_NAMES_SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", help="config of the same network")
    parser.add_argument("checkpoint", help=".pth file with the weights, or an exported .onnx; nothing in it is executed")
    parser.add_argument("--out", required=True, help=".pth file to write: tensors and nothing else")
    parser.add_argument("--partial", action="store_true", help="write what fits even if not all does, to start a training (load_from)")


def run(args: argparse.Namespace) -> int:
    from bpr.io.files import check_writable, sha256_of

    import_training()
    from bpr.training.conversion import fit_state_dict
    from bpr.training.exported import exported_state_dict
    from bpr.training.loading import build_segmentor
    from bpr.training.state_dict import read_state_dict, write_state_dict

    check_writable(args.out)
    exported, (_, model) = Path(args.checkpoint).suffix == ".onnx", build_segmentor(args.config)
    given = exported_state_dict(args.checkpoint, model) if exported else read_state_dict(args.checkpoint)
    fit = fit_state_dict(given, model.state_dict())
    for line in _lines(fit):
        print(line)
    if not fit.matched or not (fit.complete or args.partial):
        remedy = "name the config of this network, or keep what fits with --partial"
        raise BPRError(f"{args.checkpoint}: does not fit {args.config}; nothing written; {remedy}")
    source = {"converted_from": Path(args.checkpoint).name, "sha256": sha256_of(args.checkpoint)}
    write_state_dict(args.out, fit.state_dict(), source)
    print(f"{len(fit.matched)} tensors -> {args.out}")
    return 0


def _lines(fit: Fit) -> list[str]:
    """The report: one line each for what fits and what does not."""
    reshaped = [f"{name} {theirs} instead of {ours}" for name, (theirs, ours) in fit.reshaped.items()]
    return [
        f"matched: {len(fit.matched)}",
        _line("missing in the file", fit.missing),
        _line("unexpected in the file", fit.unexpected),
        _line("of another shape", reshaped),
        f"batch counters that the file leaves out, set to 0: {len(fit.counters)}",
    ]


def _line(what: str, names: Sequence[str]) -> str:
    shown = [*names[:MOST_NAMES_SHOWN], *(["..."] if len(names) > MOST_NAMES_SHOWN else [])]
    return f"{what}: {len(names)}{': ' if names else ''}{', '.join(shown)}"
