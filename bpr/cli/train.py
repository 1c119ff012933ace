"""``bpr train``: train the network of a config with MMEngine's runner, or fine-tune a model on images of one's own."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from bpr.backends import start_file
from bpr.cli.options import import_training, versions_of
from bpr.cli.paths import InputName, InputPath, OutputPath
from bpr.configs import find_config
from bpr.errors import BadUsage, BPRError, amount
from bpr.refinement.sharing.launchers import VARIABLES as LAUNCHERS

if TYPE_CHECKING:
    from bpr.training.recipe.fine_tuning import Outcome

EXAMPLE = "bpr train --from starter instances.json --img-dir images --out own.onnx"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    config = "config file, or name of one that comes with BPR; with --from: COCO annotations or a gtFine folder"
    add("config", type=InputName, metavar="CONFIG_OR_ANN", help=config)
    tune = parser.add_argument_group("fine-tune a model on your images, in minutes")
    start = "the model to start from: starter, starter-fast, hrnet-w18s, or an exported .onnx file"
    tune.add_argument("--from", dest="start", type=InputName, metavar="MODEL", help=start)
    tune.add_argument("--img-dir", type=InputPath, help="folder of the images")
    results = "your detector's results on these images, COCO or Cityscapes (default: masks made from the annotations)"
    tune.add_argument("--results", type=InputPath, help=results)
    out = "ONNX file to write, unless it refines held-out images worse than MODEL"
    tune.add_argument("--out", type=OutputPath, help=out)
    folder = "folder of logs and checkpoints (default: work_dirs/<stem of the config or of --out>)"
    add("--work-dir", type=str, help=folder)
    options = (
        "override config values, e.g. train_cfg.max_iters=100; "
        "the first part is a key of the config or one that MMEngine reads"
    )
    add("--cfg-options", type=str, nargs="+", metavar="K=V", default=[], help=options)
    resume = "continue from a checkpoint (without a value: from the newest in the work dir)"
    add("--resume", type=str, nargs="?", const="auto", metavar="CHECKPOINT", help=resume)
    amp = "mixed precision: bf16 (CPU and GPU; --amp without a value) or fp16 (GPU)"
    add("--amp", nargs="?", const="bf16", choices=["bf16", "fp16"], help=amp)
    add("--launcher", choices=("none", *LAUNCHERS), default="none")
    add("--local-rank", "--local_rank", type=int, default=0, help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    _check_usage(args)
    return _fine_tune(args) if args.start else _train(args)


def _check_usage(args: argparse.Namespace) -> None:
    files = {"--img-dir": args.img_dir, "--out": args.out}
    if not args.start:
        given = [name for name, value in {**files, "--results": args.results}.items() if value]
        if given:
            remedy = "add --from starter to fine-tune it, or leave it out and name the files in the config"
            raise BadUsage(f"{given[0]}: expected --from MODEL with it, got none; {remedy}")
        if Path(args.config).suffix == ".json" or Path(args.config).is_dir():
            remedy = f"to train on annotations: bpr train --from starter {args.config} --img-dir DIR --out FILE"
            raise BadUsage(f"{args.config}: expected a config (.py), got something else; {remedy}")
        return
    missing = [name for name, value in files.items() if not value]
    if missing:
        example = "bpr train --from starter ANN --img-dir DIR --out FILE"
        raise BadUsage(f"--from {args.start}: expected {missing[0]} with it, got none; {example}")
    if args.launcher != "none":
        remedy = "leave it out, or train by a config"
        raise BadUsage(
            f"--launcher {args.launcher}: expected a config with it, got --from, which is one process; {remedy}"
        )


def _train(args: argparse.Namespace) -> int:
    config = find_config(args.config)
    import_training()
    from bpr.training.recipe.runner import build_runner, leave_processes

    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))
    build_runner(config, args.work_dir, args.cfg_options, args.resume, args.amp, args.launcher).train()
    leave_processes()
    return 0


def _fine_tune(args: argparse.Namespace) -> int:
    start_file(args.start)  # a wrong name is said before torch is loaded
    import_training()
    from bpr.cli.export import PACKAGES
    from bpr.training.recipe.fine_tuning import fine_tune

    outcome = fine_tune(
        args.start,
        args.config,
        args.img_dir,
        args.out,
        args.results,
        args.work_dir,
        args.cfg_options,
        args.resume,
        args.amp,
        versions_of(PACKAGES),
    )
    _print(outcome)
    if outcome.worse:
        problem = f"expected a model that refines no worse than {args.start}, got {outcome.worse}"
        raise BPRError(f"{args.out}: not written: {problem}; use {args.start}, add images, or train longer")
    print(f"{args.out}: written; refine with --model {args.out}")
    return 0


def _print(outcome: Outcome) -> None:
    from bpr.training.recipe.held_out import F_LABEL, HARM_LABEL, IOU_LABEL

    title = f"{amount(outcome.instances, 'instance')} in {amount(outcome.images, 'held-out image')}"
    width = max(len(title), *map(len, outcome.scores))
    print(f"{title:{width}}  {F_LABEL:>7} {IOU_LABEL:>7}  lost over a point of IoU")
    for name, scores in outcome.scores.items():
        numbers = " ".join(f"{100 * scores[f'{label}/after']:7.1f}" for label in (F_LABEL, IOU_LABEL))
        harm = f"  {100 * scores[HARM_LABEL]:.1f} %" if HARM_LABEL in scores else ""
        print(f"{name:{width}}  {numbers}{harm}")
