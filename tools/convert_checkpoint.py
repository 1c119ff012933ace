"""Turn the authors' released weights, or an exported model, into a checkpoint of a config.

    python tools/convert_checkpoint.py CONFIG.py released.pth --out bpr_w18s.pth
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bpr.cli.main import Parser, run_script
from bpr.cli.options import import_training
from bpr.cli.paths import InputName, InputPath, OutputPath
from bpr.errors import BPRError, some

MOST_NAMES_SHOWN = 10


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=InputName, help="config of the same network")
    checkpoint = ".pth file with the weights, or an exported .onnx; nothing in it is executed"
    parser.add_argument("checkpoint", type=InputPath, help=checkpoint)
    parser.add_argument("--out", type=OutputPath, required=True, help=".pth file to write: tensors and nothing else")
    partial = "write the tensors that fit even if not all do, to start a training from (load_from)"
    parser.add_argument("--partial", action="store_true", help=partial)
    return run_script(parser, run, argv)


def run(args: argparse.Namespace) -> None:
    from bpr.io.files import check_writable, sha256_of

    import_training()
    from bpr.training.checkpoints import read_state_dict, write_state_dict
    from bpr.training.conversion import fit_state_dict
    from bpr.training.export.from_onnx import exported_state_dict
    from bpr.training.network.segmentor import build_segmentor

    check_writable(args.out)
    _, model = build_segmentor(args.config)
    exported = Path(args.checkpoint).suffix == ".onnx"
    source = exported_state_dict(args.checkpoint, model) if exported else read_state_dict(args.checkpoint)
    fit = fit_state_dict(source, model.state_dict())

    reshaped = [f"{name} {theirs} instead of {ours}" for name, (theirs, ours) in fit.reshaped.items()]
    print(f"matched: {len(fit.matched)}")
    print(f"missing in the file: {listed(fit.missing)}")
    print(f"unexpected in the file: {listed(fit.unexpected)}")
    print(f"of another shape: {listed(reshaped)}")
    print(f"batch counters that the file leaves out, set to 0: {len(fit.counters)}")

    if not fit.matched or not (fit.complete or args.partial):
        remedy = "name the config of this network, or keep what fits with --partial"
        raise BPRError(f"{args.checkpoint}: does not fit {args.config}; nothing written; {remedy}")
    meta = {"converted_from": Path(args.checkpoint).name, "sha256": sha256_of(args.checkpoint)}
    write_state_dict(args.out, fit.state_dict(), meta)
    print(f"{len(fit.matched)} tensors -> {args.out}")


def listed(names: Sequence[str]) -> str:
    """How many names there are, and the first of them."""
    return f"{len(names)}{': ' if names else ''}{some(names, MOST_NAMES_SHOWN)}"


if __name__ == "__main__":
    sys.exit(main())
