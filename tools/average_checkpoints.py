"""Average the weights of several trainings that started from the same weights.

    python tools/average_checkpoints.py CONFIG.py seed0/iter_3000.pth seed1/iter_3000.pth --out averaged.pth
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bpr.cli.main import Parser, run_script
from bpr.cli.options import at_least, import_training
from bpr.cli.paths import InputName, InputPath, OutputPath
from bpr.errors import BPRError


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    config = "config that the checkpoints were trained with; the norms are measured on its training data"
    parser.add_argument("config", type=InputName, help=config)
    parser.add_argument("checkpoints", type=InputPath, nargs="+", help=".pth files of training, two or more")
    batches = "batches of training data for the norms (default: %(default)s)"
    parser.add_argument("--batches", type=at_least(1), default=100, help=batches)
    parser.add_argument("--out", type=OutputPath, required=True, help=".pth file to write: tensors and nothing else")
    return run_script(parser, run, argv)


def run(args: argparse.Namespace) -> None:
    from bpr.io.files import check_writable, sha256_of

    if len(args.checkpoints) < 2:
        raise BPRError(f"expected two checkpoints or more, got {len(args.checkpoints)}")
    import_training()
    from bpr.training.checkpoints import write_state_dict
    from bpr.training.recipe.averaging import average_checkpoints

    check_writable(args.out)
    state = average_checkpoints(args.config, args.checkpoints, args.batches)
    sources = ", ".join(f"{Path(checkpoint).name} {sha256_of(checkpoint)}" for checkpoint in args.checkpoints)
    write_state_dict(args.out, state, {"averaged_from": sources})
    print(f"{len(args.checkpoints)} checkpoints, norms measured on {args.batches} batches -> {args.out}")


if __name__ == "__main__":
    sys.exit(main())
