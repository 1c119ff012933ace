"""``bpr merge``: write the output of a run from the finished work of its shards."""

from __future__ import annotations

import argparse

from bpr.cli.paths import OutputPath
from bpr.cli.sharing import print_report

EXAMPLE = "bpr merge refined.segm.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", type=OutputPath, help="the --out of bpr refine --shard")


def run(args: argparse.Namespace) -> int:
    from bpr.job import RefineJob

    report = RefineJob.of(args.out).merge()
    print_report(report, args.out)
    return int(report.failed)
