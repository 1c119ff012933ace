"""The page's text: a template filled with the overview's numbers, tables and plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import bpr
from bpr.evaluation.matched_pairs import CLEARLY, METRICS, UNCHANGED
from bpr.report.html.collect import Collection, Instance
from bpr.report.html.groups import Group, by_class, by_score, by_size
from bpr.report.html.plots import judged_plots, unjudged_plots

ASSETS = Path(__file__).parent / "assets"
SCRIPTS = ("masks.js", "rows.js", "gallery.js", "stage.js", "viewer.js", "main.js")
"""In the order in which the page loads them."""
STYLES = ("report.css",)
TITLES = dict(zip(METRICS, ("IoU", "Boundary IoU", "Boundary F at 2 px"), strict=True))
MOST_NOTES = 20


@dataclass(frozen=True)
class MetricRow:
    """One metric in [0, 1]; ``interval`` bounds the mean change, None where it was not computed."""

    name: str
    before: float
    after: float
    interval: tuple[float, float] | None = None

    @property
    def change(self) -> float | None:
        """None where there was nothing to measure."""
        return None if min(self.before, self.after) < 0 else self.after - self.before


@dataclass(frozen=True)
class Table:
    """Groups of instances under one heading."""

    title: str
    column: str
    groups: list[Group]

    @property
    def scale(self) -> float:
        """The largest change of a group: what a full bar stands for."""
        return max(abs(group.change) for group in self.groups) or 1.0


def render(collection: Collection, shown: Sequence[Instance], files: dict[str, str], problems: Sequence[str]) -> str:
    """The HTML of index.html.

    Args:
        shown: the instances that have a view; number n of them is addressed as ``#instance=n``.
        files: names by role: ``after``, ``before``, and ``truth`` where there is one.
        problems: what could not be read, one line each.
    """
    environment = Environment(loader=FileSystemLoader(ASSETS), autoescape=True, undefined=StrictUndefined)
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.filters |= {"points": _points, "signed": _signed, "svg": Markup, "share": _share}
    return environment.get_template("index.html").render(
        **_numbers(collection),
        files=files,
        shown=shown,
        plots=_plots(collection, shown),
        tables=_tables(collection.instances),
        notes=collection.problems,
        problems=problems[:MOST_NOTES],
        more_problems=len(problems[MOST_NOTES:]),
        scripts=SCRIPTS,
        styles=STYLES,
        version=bpr.__version__,
    )


def _numbers(collection: Collection) -> dict[str, Any]:
    """What the top of the overview says."""
    instances, matched = collection.instances, _matched_rows(collection)
    return {
        "judged": collection.comparison is not None,
        "count": len(instances),
        "images": len({instance.image_id for instance in instances}),
        "records": collection.records,
        "shares": collection.comparison.shares if collection.comparison else None,
        "unchanged": 100 * UNCHANGED,
        "clearly": 100 * CLEARLY,
        "matched": matched,
        "metric_parts": {f"mean over the {len(instances)} objects": matched, "COCO mask AP of all records": _precision_rows(collection)},
        "agreement": sum(instance.agreement for instance in instances) / len(instances),
        "area_change": sum(instance.area_change for instance in instances) / len(instances),
        "untouched": sum(instance.agreement == 1 for instance in instances) / len(instances),
    }


def _matched_rows(collection: Collection) -> list[MetricRow]:
    """The means over the pairs."""
    if not (collection.comparison and collection.scores):
        return []
    before, after = (scores.means() for scores in collection.scores)
    changes = collection.comparison.changes
    return [MetricRow(TITLES[name], before[name], after[name], (changes[name].low, changes[name].high)) for name in METRICS]


def _precision_rows(collection: Collection) -> list[MetricRow]:
    precision = collection.precision
    return [MetricRow(name, value, precision.after[name]) for name, value in precision.before.items()] if precision else []


def _plots(collection: Collection, shown: Sequence[Instance]) -> list[Any]:
    numbers = {id(instance): number for number, instance in enumerate(shown)}
    links = [f"#instance={numbers[id(i)]}" if id(i) in numbers else None for i in collection.instances]
    return (judged_plots if collection.comparison else unjudged_plots)(collection.instances, links)


def _tables(instances: Sequence[Instance]) -> list[Table]:
    parts = (("By size", "size", by_size), ("By score", "score", by_score), ("By class", "class", by_class))
    tables = [Table(title, column, divide(instances)) for title, column, divide in parts]
    return [table for table in tables if table.groups]


def _points(share: float) -> str:
    """A share in [0, 1] in points; -1 is nothing to measure."""
    return "–" if share < 0 else f"{100 * share:.1f}"


def _signed(change: float) -> str:
    """A change in points, with a true minus sign.

    >>> _signed(-0.0123)
    '−1.23'
    """
    return f"{100 * change:+.2f}".replace("-", "−")


def _share(part: float) -> str:
    """A share in percent.

    >>> _share(0.074)
    '7 %'
    """
    return f"{100 * part:.0f} %"
