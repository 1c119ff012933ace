"""``bpr eval``: how good are masks, and what did refining them change."""

from __future__ import annotations

import argparse
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from bpr.evaluation.summary import Row, Summary

HELP = "score masks against ground truth, before and after refinement"
EXAMPLE = "tools/eval.py refined.segm.json --ann instances.json --before results.segm.json --out summary.json"
PACKAGES = ("bpr", "numpy", "pycocotools")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", help="COCO results JSON to score")
    parser.add_argument("--ann", required=True, help="COCO annotation file with the ground truth")
    parser.add_argument("--before", metavar="COARSE", help="the results JSON before refinement: adds the change of every number")
    parser.add_argument("--out", metavar="JSON", help="write the numbers to this file too")


def run(args: argparse.Namespace) -> int:
    from bpr.evaluation.inputs import check_annotations, check_detections
    from bpr.evaluation.summary import evaluate
    from bpr.formats.coco import read_annotations, read_results
    from bpr.formats.files import write_json

    document = read_annotations(args.ann)
    document = check_annotations(document, args.ann)
    results = check_detections(read_results(args.results), document, args.results)
    before = check_detections(read_results(args.before), document, args.before) if args.before else None
    summary = evaluate(results, document, before)
    detections = {"results": results, "before": before} if before else {"results": results}
    unreadable = {role: part.unreadable for role, part in detections.items()}
    _print(summary, unreadable)
    if args.out:
        files = {"results": args.results, "before": args.before, "annotations": args.ann}
        names = {role: Path(path).name for role, path in files.items() if path}
        write_json(args.out, {**summary.to_dict(), "unreadable": unreadable, "files": names, "versions": _versions()}, indent=2)
    return 0


def _print(summary: Summary, unreadable: dict[str, int]) -> None:
    from rich.console import Console

    console = Console()
    console.print(_table(summary, console.is_terminal))
    for line in _lines(summary, unreadable):
        console.print(line, highlight=False, soft_wrap=True)


def _table(summary: Summary, terminal: bool) -> Table:
    """One row per metric, in percent; before and after side by side where there is a before."""
    from rich import box
    from rich.table import Table

    compared = any(row.before is not None for row in summary.rows.values())
    table = Table(box=box.SIMPLE if terminal else None)
    table.add_column("metric")
    for name in ("before", "after", "change", "95 % interval") if compared else ("value",):
        table.add_column(name, justify="right")
    for name, row in summary.rows.items():
        table.add_row(name, *(_cells(row) if compared else [_percent(row.value)]))
    return table


def _cells(row: Row) -> list[str]:
    change = "-" if row.change is None else f"{100 * row.change:+.2f}"
    interval = f"{100 * row.interval[0]:+.2f} .. {100 * row.interval[1]:+.2f}" if row.interval else ""
    return [_percent(row.before), _percent(row.value), change, interval]


def _percent(value: float | None) -> str:
    return "-" if value is None or value < 0 else f"{100 * value:.2f}"


def _lines(summary: Summary, unreadable: dict[str, int]) -> list[str]:
    """What the table cannot hold: the pairs, who won, and what could not be read."""
    lines = [f"{summary.pairs} matched pairs in {summary.images_with_pairs} images (same class, IoU >= .5, score >= .05)"]
    if summary.shares:
        parts = {name: f"{100 * share:.1f} %" for name, share in vars(summary.shares).items()}
        lines.append(
            f"IoU improved {parts['improved']}, unchanged {parts['unchanged']}, harmed {parts['harmed']} of the pairs; "
            f"harmed by more than 1 point {parts['harmed_clearly']}"
        )
    return lines + [f"{role}: {count} unreadable masks count as empty" for role, count in unreadable.items() if count]


def _versions() -> dict[str, Any]:
    """Versions of what made the numbers; None for a checkout that is not installed."""
    installed = {name for name in PACKAGES if any(metadata.distributions(name=name))}
    return {name: metadata.version(name) if name in installed else None for name in PACKAGES}
