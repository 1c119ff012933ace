"""The tables of held_out.py, for readme_tables.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bpr.io.files import read_json

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "held_out"
TRAININGS = {
    "short": "short",
    "long": "long",
    "averaged": "average of both",
    "averaged-of-three": "average of both and of a second short one",
    "last": "on from the average of both, at 128 px",
    "starter": "`starter`: average of that and of where it began",
    "starter-fast": "`starter-fast`: on from the average of both, at 64 px",
}


def averaging() -> str:
    """What held_out.py found of every training and of their averages: one pass, on the tenth that was kept apart."""
    reports = {label: report_of(name) for name, label in TRAININGS.items()}
    lines = head_of("training", "F@2px / IoU; harmed")
    return "\n".join([*lines, *(f"| {label} | {_cells(report['rows'][0], _gained)} |" for label, report in reports.items())])


def schemes() -> str:
    """What held_out.py found of `starter` with other blends, caution and more passes."""
    head = head_of("blend | caution | passes | looked at again", "F@2px / IoU; harmed; patches")
    return "\n".join([*head, *map(_scheme_row, report_of("starter")["rows"])])


def report_of(name: str) -> dict[str, Any]:
    return read_json(RESULTS / f"{name}.json", "a report of held_out.py")


def head_of(first: str, cell: str) -> list[str]:
    """The number of pairs, and the head of a table with a column for every set."""
    pairs = report_of("starter")["pairs"]
    head = f"| {first} | {' | '.join(f'{name}: {cell}' for name in pairs)} |"
    counts = ", ".join(f"{name} {count}" for name, count in pairs.items())
    note = f"Matched pairs: {counts}. Points gained; pairs that lost more than one."
    return [note, "", head, "|---" * (head.count(" | ") + 1) + "|"]


def _scheme_row(row: dict[str, Any]) -> str:
    where = "" if row["passes"] == 1 else f"where withdrawn {row['withdrawn']} px" if row["withdrawn"] else "everywhere"
    return f"| {row['blend']} | {row.get('caution', 0):g} | {row['passes']} | {where} | {_cells(row, _gained_and_spent)} |"


def _gained_and_spent(found: dict[str, float]) -> str:
    return f"{_gained(found)}; {found['patches']:.2f}"


def _cells(row: dict[str, Any], cell: Callable[[dict[str, float]], str]) -> str:
    return " | ".join(map(cell, row["sets"].values()))


def _gained(found: dict[str, float]) -> str:
    return f"{100 * found['f']:+.2f} / {100 * found['iou']:+.2f}; {100 * found['harmed_clearly']:.1f} %"
