"""``bpr eval``: score masks, and show how refining changed the scores."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bpr.cli.options import versions_of
from bpr.cli.paths import InputPath, OutputPath
from bpr.evaluation.comparison import PROTOCOLS
from bpr.evaluation.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpr.evaluation.tables import TextTable

EXAMPLE = (
    "bpr eval refined.segm.json --ann instances.json --before results.segm.json --out summary.json "
    "--markdown summary.md"
)
PACKAGES = ("bpr", "numpy", "pycocotools", "opencv-python-headless", "faster-coco-eval", "cityscapesscripts", "lvis")
LOG_WIDTH = 160
"""Width of the tables, in columns, if the output is not a terminal."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    metrics = "; ".join(f"{name}: {metric.about}" for name, metric in METRICS.items()).replace("%", "%%")  # for argparse
    add = parser.add_argument
    add("results", type=InputPath, help="the masks to score: COCO results JSON, a Cityscapes folder, panoptic JSON")
    ann = "ground truth: COCO or LVIS annotations, a gtFine folder, panoptic JSON"
    add("--ann", type=InputPath, required=True, help=ann)
    before = "the masks before refinement: adds the change of every number"
    add("--before", type=InputPath, metavar="COARSE", help=before)
    add("--metrics", nargs="+", choices=METRICS, metavar="NAME", help=f"default: those that suit the files. {metrics}")
    dataset = "data set whose rules apply: labels of the numbers, width of the band of Boundary AP"
    add("--dataset", choices=PROTOCOLS, help=dataset)
    fast = "compute AP and Boundary AP with faster-coco-eval: the same numbers, but no intervals"
    add("--fast", action="store_true", help=fast)
    add("--out", type=OutputPath, metavar="JSON", help="also write the numbers to this file")
    add("--markdown", type=OutputPath, metavar="FILE", help="also write the tables to this file")
    add("--save-per-instance", type=OutputPath, metavar="CSV", help="write one line per matched pair; needs --before")


def run(args: argparse.Namespace) -> int:
    from bpr.errors import BPRError
    from bpr.evaluation.comparison import Comparison, Evaluation
    from bpr.evaluation.subjects import Truth
    from bpr.evaluation.summary import evaluate
    from bpr.evaluation.tables import lines, tables, to_markdown
    from bpr.io.files import atomic_open, check_writable, write_json

    for path in (args.out, args.markdown, args.save_per_instance):
        if path:
            check_writable(path)
    truth = Truth(args.ann, args.dataset)
    refined, coarse, detections = truth.subjects(args.results, args.before)
    summary = evaluate(refined, coarse, args.metrics, args.fast)
    problems = {"annotations": truth.problems, **{role: part.problems for role, part in detections.items()}}
    _print(tables(summary, truth.protocol), lines(summary, problems))
    if args.out:
        files = {"results": args.results, "before": args.before, "annotations": args.ann}
        names = {role: Path(path).name for role, path in files.items() if path}
        found = {"unreadable": {role: part.unreadable for role, part in detections.items()}, "problems": problems}
        write_json(
            args.out, {**summary.to_dict(), **found, "files": names, "versions": versions_of(PACKAGES)}, indent=2
        )
    if args.markdown:
        with atomic_open(args.markdown) as file:
            file.write(to_markdown(summary, problems, truth.protocol))
    if args.save_per_instance:
        if not coarse or Evaluation not in refined:
            remedy = "pass both files, because each line compares one mask before and after"
            raise BPRError(f"--save-per-instance: expected detections and --before, got none; {remedy}")
        Comparison(coarse[Evaluation], refined[Evaluation]).write_csv(args.save_per_instance)
    return 0


def _print(tables: Sequence[TextTable], lines: Sequence[str]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else LOG_WIDTH)
    for text in tables:
        table = Table(box=box.SIMPLE if terminal else None, title=None if text.title == "metrics" else text.title)
        for index, name in enumerate(text.head):
            table.add_column(name, justify="right" if index else "left", no_wrap=True)
        for row in text.rows:
            table.add_row(*row)
        console.print(table)
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)
