"""``bpr test``: MMDetection's test loop over a config of configs/detection."""

from __future__ import annotations

import argparse

from bpr.cli.options import import_detection
from bpr.configs import find_config

HELP = "test a detector with MMDetection's metrics, before and after refining"
EXAMPLE = "bpr test configs/detection/mask-rcnn_r50_fpn_1x_coco_bpr-starter.py mask_rcnn.pth"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", help="config with a bpr.RefinedDetector: a file, or the name of one that comes with BPR")
    parser.add_argument("weights", help="the detector's checkpoint; only tensors are read from it")
    parser.add_argument("--work-dir", help="logs (default: work_dirs/<config stem>)")
    parser.add_argument("--cfg-options", nargs="+", metavar="K=V", default=[], help="override config values")
    parser.add_argument("--launcher", choices=["none", "pytorch", "slurm", "mpi"], default="none")


def run(args: argparse.Namespace) -> int:
    config = find_config(args.config)
    import_detection()
    from bpr.integrations.mmdetection import testing
    from bpr.training.training import build_runner

    testing.test(build_runner(config, args.work_dir, args.cfg_options, launcher=args.launcher), args.weights)
    return 0
