"""``bpr train``: trains the network of a config with MMEngine's runner."""

from __future__ import annotations

import argparse
import os

from bpr.cli.options import import_training
from bpr.cli.paths import InputName
from bpr.configs import find_config
from bpr.refinement.sharing.launchers import VARIABLES as LAUNCHERS

EXAMPLE = "bpr train configs/bpr_hrnet-w18s_4xb8-160k_cityscapes-128x128.py --work-dir work_dirs/first"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=InputName, help="config file, or the name of one that comes with BPR")
    parser.add_argument("--work-dir", type=str, help="folder of logs and checkpoints (default: work_dirs/<config stem>)")
    options = (
        "override config values, e.g. train_cfg.max_iters=100; "
        "the first part is a key of the config or one that MMEngine reads"
    )
    parser.add_argument("--cfg-options", type=str, nargs="+", metavar="K=V", default=[], help=options)
    resume = "continue from a checkpoint (without a value: from the newest in the work dir)"
    parser.add_argument("--resume", type=str, nargs="?", const="auto", metavar="CHECKPOINT", help=resume)
    amp = "mixed precision: bf16 (CPU and GPU; --amp without a value) or fp16 (GPU)"
    parser.add_argument("--amp", nargs="?", const="bf16", choices=["bf16", "fp16"], help=amp)
    parser.add_argument("--launcher", choices=("none", *LAUNCHERS), default="none")
    parser.add_argument("--local-rank", "--local_rank", type=int, default=0, help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    config = find_config(args.config)
    import_training()
    from bpr.training.recipe.runner import build_runner, leave_processes, original_worker_errors

    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))
    runner = build_runner(config, args.work_dir, args.cfg_options, args.resume, args.amp, args.launcher)
    with original_worker_errors():
        runner.train()
    leave_processes()
    return 0
