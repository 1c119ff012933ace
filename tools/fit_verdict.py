"""Fit a verdict to an exported model: it decides for every mask how much of the change to take.

    python tools/fit_verdict.py configs/_base_/datasets/verdict_any_masks.py starter.onnx --out starter-auto.onnx

The config names annotation files, images and, if there are any, results files; masks of many makers are made from them
and refined. First the verdict is fitted four times without a quarter of the images and judged on that quarter, which is
the table that is printed, then once on all of them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from bpr.cli.main import Parser, run_script
from bpr.cli.options import import_training
from bpr.cli.paths import InputName, InputPath, OutputPath

FOLDS = 4


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=InputPath, help="a config that holds sources")
    parser.add_argument("model", type=InputName, help="a model's name, or a .onnx file of bpr export")
    parser.add_argument("--out", type=OutputPath, required=True, help="ONNX file to write")
    return run_script(parser, run, argv)


def run(args: argparse.Namespace) -> None:
    import_training()
    from mmengine.config import Config

    from bpr.backends import load_refiner, model_file
    from bpr.training.verdict import Samples, add_verdict, collect, fit, judged, summary

    cfg = Config.fromfile(args.config)
    refiner = load_refiner(args.model, caution=0.0)
    parts = []
    for source in cfg.sources:
        parts.append(collect(refiner, **source))
        print(f"{source['name']}: {len(parts[-1].inputs)} masks", flush=True)
    samples = Samples.joined(parts)
    changes, folds = np.zeros((2, len(samples.inputs))), np.unique(samples.images, return_inverse=True)[1] % FOLDS
    for fold in range(FOLDS):
        out = folds == fold
        changes[:, out] = judged(fit(samples.of(~out), **cfg.verdict), samples.of(out))[:2]
    print_table(summary(samples, changes))
    add_verdict(model_file(args.model), args.out, fit(samples, **cfg.verdict).to_dict())
    print(f"{args.out}: {args.model} with a verdict")


def print_table(rows: Sequence[dict]) -> None:
    columns = "IoU, points: all taken", "by verdict", "best", "F@2px: all taken", "by verdict", "harmed > 1: all taken", "by verdict"
    print(f"| source | maker | masks | {' | '.join(columns)} |\n|{'---|' * (3 + len(columns))}")
    for row in rows:
        changes = [f"{value:+.2f}" for of in ("iou", "f") for value in row[of].values()]
        harmed = [f"{100 * value:.1f} %" for value in row["harmed"].values()]
        print(f"| {' | '.join([row['source'], row['maker'], str(row['masks']), *changes, *harmed])} |")


if __name__ == "__main__":
    sys.exit(main())
