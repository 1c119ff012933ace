"""``bpr average-checkpoints``: several trainings that began alike -> one checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path

from bpr.cli.numbers import at_least
from bpr.cli.options import import_training
from bpr.errors import BPRError

HELP = "average the weights of several trainings that began from the same ones"
EXAMPLE = "bpr average-checkpoints CONFIG.py seed0/iter_3000.pth seed1/iter_3000.pth --out averaged.pth"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", help="config that the checkpoints were trained with; its training data measures the norms anew")
    parser.add_argument("checkpoints", nargs="+", help=".pth files of training, two or more")
    parser.add_argument("--batches", type=at_least(1), default=100, help="batches of training data for the norms (default: %(default)s)")
    parser.add_argument("--out", required=True, help=".pth file to write: tensors and nothing else")


def run(args: argparse.Namespace) -> int:
    from bpr.io.files import check_writable, sha256_of

    if len(args.checkpoints) < 2 or args.batches < 1:
        raise BPRError(f"expected two checkpoints and one batch or more, got {len(args.checkpoints)} and {args.batches}")
    import_training()
    from bpr.training.averaging import average_checkpoints
    from bpr.training.state_dict import write_state_dict

    check_writable(args.out)
    state = average_checkpoints(args.config, args.checkpoints, args.batches)
    sources = ", ".join(f"{Path(checkpoint).name} {sha256_of(checkpoint)}" for checkpoint in args.checkpoints)
    write_state_dict(args.out, state, {"averaged_from": sources})
    print(f"{len(args.checkpoints)} checkpoints, norms measured on {args.batches} batches -> {args.out}")
    return 0
