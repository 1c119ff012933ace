"""``bpr eval``: how good are masks, and what did refining them change."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bpr.cli.options import versions_of
from bpr.cli.paths import InputPath, OutputPath
from bpr.evaluation.case import PROTOCOLS
from bpr.evaluation.metrics import METRICS

if TYPE_CHECKING:
    from bpr.evaluation.summary import Side, Summary

EXAMPLE = "bpr eval refined.segm.json --ann instances.json --before results.segm.json --out summary.json --markdown summary.md"
PACKAGES = ("bpr", "numpy", "pycocotools", "opencv-python-headless", "faster-coco-eval", "cityscapesscripts", "lvis")
PLAIN_WIDTH = 160
"""Of a log, where nothing shall be cut."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "results", type=InputPath, help="what to score: COCO results JSON, a Cityscapes folder, panoptic JSON"
    )
    parser.add_argument(
        "--ann", type=InputPath, required=True,
        help="ground truth: COCO or LVIS annotations, a gtFine folder, panoptic JSON",
    )
    parser.add_argument(
        "--before", type=InputPath, metavar="COARSE",
        help="the masks before refinement: adds the change of every number",
    )
    parser.add_argument("--metrics", nargs="+", choices=METRICS, metavar="NAME", help=f"of {', '.join(METRICS)} (default: the usual ones)")
    parser.add_argument("--dataset", choices=PROTOCOLS, help="whose rules COCO's numbers follow: band of Boundary AP, labels")
    parser.add_argument("--fast", action="store_true", help="AP and Boundary AP by faster-coco-eval: the same numbers, no intervals")
    parser.add_argument("--out", type=OutputPath, metavar="JSON", help="write the numbers to this file too")
    parser.add_argument("--markdown", type=OutputPath, metavar="FILE", help="write the tables to this file too")
    parser.add_argument(
        "--save-per-instance", type=OutputPath, metavar="CSV", help="write one line per matched pair; needs --before"
    )


def run(args: argparse.Namespace) -> int:
    from bpr.evaluation.sides import Truth
    from bpr.evaluation.summary import evaluate
    from bpr.evaluation.tables import lines, to_markdown
    from bpr.io.files import atomic_open, check_writable, write_json

    for path in (args.out, args.markdown, args.save_per_instance):
        if path:
            check_writable(path)
    truth = Truth(args.ann, args.dataset)
    after, before, detections = truth.sides(args.results, args.before)
    summary = evaluate(after, before, args.metrics, args.fast)
    problems = {"annotations": truth.problems, **{role: part.problems for role, part in detections.items()}}
    _print(summary, lines(summary, problems))
    if args.out:
        files = {"results": args.results, "before": args.before, "annotations": args.ann}
        names = {role: Path(path).name for role, path in files.items() if path}
        found = {"unreadable": {role: part.unreadable for role, part in detections.items()}, "problems": problems}
        write_json(args.out, {**summary.to_dict(), **found, "files": names, "versions": versions_of(PACKAGES)}, indent=2)
    if args.markdown:
        with atomic_open(args.markdown) as file:
            file.write(to_markdown(summary, problems))
    if args.save_per_instance:
        _save_rows(args.save_per_instance, after, before)
    return 0


def _save_rows(path: str, after: Side, before: Side | None) -> None:
    from bpr.errors import BPRError
    from bpr.evaluation.case import Case
    from bpr.evaluation.per_instance import case_rows, write_csv

    if not before or Case not in after:
        raise BPRError("--save-per-instance: expected detections and --before, got none; a line compares one mask before and after")
    write_csv(path, case_rows(before[Case], after[Case]))


def _print(summary: Summary, said: Sequence[str]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from bpr.evaluation.tables import tables

    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else PLAIN_WIDTH)
    for text in tables(summary):
        table = Table(box=box.SIMPLE if terminal else None, title=None if text.title == "metrics" else text.title)
        for index, name in enumerate(text.head):
            table.add_column(name, justify="right" if index else "left", no_wrap=True)
        for row in text.rows:
            table.add_row(*row)
        console.print(table)
    for line in said:
        console.print(line, highlight=False, soft_wrap=True)
