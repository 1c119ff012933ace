"""``bpr cvat``: refine the shapes of a task where they are, on a CVAT server."""

from __future__ import annotations

import argparse
import os

from bpr.backends.presets import PRESETS
from bpr.cli.options import extra, print_problems, progress_bar
from bpr.cli.paths import InputName
from bpr.errors import amount

EXAMPLE = """\
bpr cvat https://app.cvat.ai/tasks/7 --dry-run  # say what would change
bpr cvat https://app.cvat.ai/tasks/7  # change it"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    what = "address of the task, as your browser shows it; the access token comes from the variable CVAT_ACCESS_TOKEN"
    add("task", type=str, metavar="ADDRESS", help=what)
    add("--dry-run", action="store_true", help="refine and say what would change, but send nothing")
    add("--preset", choices=PRESETS, help="a bundle of model, precision and share of patches, instead of --model")
    add("--model", type=InputName, help="model name, .onnx or .pth file, or identity (default: starter)")


def run(args: argparse.Namespace) -> int:
    with extra("cvat"):
        from bpr.integrations.cvat import TOKEN, CvatTask, refine_task
    from bpr.backends import load_refiner

    task = CvatTask(args.task, os.environ.get(TOKEN, "").strip())
    refiner = load_refiner(args.model, preset=args.preset)
    with progress_bar("refining", 0) as advance:
        changes, report = refine_task(task, refiner, advance)
    print_problems([*report.notes, *report.problems])
    print(report.summary)
    if args.dry_run:
        for change in changes:
            print(change.line)
        print(f"would change: {len(changes)} of {amount(report.records, 'shape')}; nothing was sent -> {task.name}")
        return int(report.failed)
    if changes:
        task.put(changes)
    print(f"changed: {len(changes)} of {amount(report.records, 'shape')} -> {task.name}")
    return int(report.failed)
