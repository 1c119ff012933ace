"""``bpr merge``: what the shards of a run have finished -> its output."""

from __future__ import annotations

import argparse
from pathlib import Path

from bpr.cli.paths import OutputPath

EXAMPLE = "bpr merge refined.segm.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", type=OutputPath, help="the --out of bpr refine --shard")


def run(args: argparse.Namespace) -> int:
    from bpr.cli.refine import check_output, exit_code, inputs, print_report, write_result
    from bpr.formats.coco import read_images
    from bpr.formats.recognise import open_source
    from bpr.io.folders import written_by
    from bpr.refinement.clock import StageClock
    from bpr.refinement.plan import plan_images
    from bpr.refinement.sharing.run_folder import RunFolder

    clock, folder = StageClock(), RunFolder(Path(args.out))
    began = folder.about()["arguments"]
    with folder.locked(alone=True), written_by("bpr refine"):
        folder.check(inputs(began["results"], began["ann"]))
        entries = read_images(began["ann"]) if began["ann"] else None
        source, _ = open_source(began["results"], began["format"], began["img_dir"], entries)
        check_output(source, folder.out)
        plan = plan_images(source.records, began["min_score"])
        finished = folder.finished(plan.records)
        write_result(folder, plan, finished, source, clock)
    report = finished.report(plan, clock)
    print_report(report, args.out)
    return exit_code(report, began.get("strict", False))  # a run that 0.2.0 began does not say
