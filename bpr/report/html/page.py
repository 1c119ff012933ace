"""The text of the page: a template filled with the numbers, tables and plots of the overview."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import bpr
from bpr.evaluation.breakdowns import SCORE_RANGES
from bpr.evaluation.comparison import CLEARLY, UNCHANGED, Comparison
from bpr.evaluation.pair_metrics import PAIR_METRICS, SURFACE_METRICS, PairMetric
from bpr.evaluation.summary import Row
from bpr.report.html.collect import Collection, Instance
from bpr.report.html.groups import by_class, by_score, by_size
from bpr.report.html.plots import plots_of_changes, plots_of_gains

ASSETS = Path(__file__).parent / "assets"
SCRIPTS = ("masks.js", "rows.js", "gallery.js", "decisions.js", "stage.js", "viewer.js", "main.js")
"""In the order in which the page loads them."""
STYLES = ("report.css",)
MOST_PROBLEMS_SHOWN = 20


def render(collection: Collection, shown: Sequence[Instance], files: dict[str, str], problems: Sequence[str]) -> str:
    """The HTML of index.html.

    Args:
        shown: the instances that have a view. The address of instance n of them is ``#instance=n``.
        files: file names by role, as for :func:`bpr.report.html.write.write_report`.
        problems: images that could not be read, one line each.
    """
    environment = Environment(loader=FileSystemLoader(ASSETS), autoescape=True, undefined=StrictUndefined)
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.filters |= {"points": _points, "signed": _signed, "svg": Markup, "share": _share}
    instances, comparison = collection.instances, collection.comparison
    numbers = {id(instance): number for number, instance in enumerate(shown)}
    links = [f"#instance={numbers[id(instance)]}" if id(instance) in numbers else None for instance in instances]
    return environment.get_template("index.html").render(
        **(_numbers(comparison) if comparison else {}),
        has_truth=comparison is not None,
        count=len(instances),
        images=len({instance.image_id for instance in instances}),
        records=collection.records,
        agreement=sum(instance.agreement for instance in instances) / len(instances),
        area_change=sum(instance.area_change for instance in instances) / len(instances),
        unchanged_masks=sum(instance.agreement == 1 for instance in instances) / len(instances),
        files=files,
        review=collection.review is not None,
        apply=_apply(files),
        judged=any(instance.verdict for instance in instances),
        shown=shown,
        plots=(plots_of_gains if comparison else plots_of_changes)(instances, links),
        tables={"size": by_size(instances), "score": by_score(instances), "class": by_class(instances)},
        score_ranges=SCORE_RANGES,
        notes=collection.problems,
        problems=problems[:MOST_PROBLEMS_SHOWN],
        more_problems=len(problems[MOST_PROBLEMS_SHOWN:]),
        scripts=SCRIPTS,
        styles=STYLES,
        version=bpr.__version__,
    )


def _numbers(comparison: Comparison) -> dict[str, Any]:
    """The numbers that need a ground truth. A row is a name, before and after, and whether higher is better."""

    def row(metric: PairMetric) -> tuple[str, Row, bool]:
        scale = 1.0 if metric.unit == "%" else 0.01  # the page shows hundredths
        before, after = (scale * float(side.column(metric).mean()) for side in (comparison.coarse, comparison.refined))
        return f"{metric.title}, px" if metric.unit == "px" else metric.title, Row(after, before), metric.higher_is_better

    matched = [row(metric) for metric in PAIR_METRICS]
    before_ap, after_ap = comparison.coarse.average_precisions, comparison.refined.average_precisions
    groups = {
        f"mean over the {len(comparison.pairs)} objects": matched,
        "of their surfaces and shapes": [row(metric) for metric in SURFACE_METRICS],
        "COCO mask AP of all records": [(name, Row(after_ap[name].value, before_ap[name].value), True) for name in after_ap],
    }
    tiles = list(zip(matched, comparison.changes.values(), strict=True))
    limits = {"unchanged": 100 * UNCHANGED, "clearly": 100 * CLEARLY}
    return {"shares": comparison.shares, **limits, "tiles": tiles, "metric_groups": groups}


def _apply(files: dict[str, str]) -> str:
    """The command that writes the masks after a person has decided about them."""
    out = f"final{Path(files['after']).suffix}"
    words = ["decisions.json", files["after"], "--before", files["before"], "--out", out]
    return shlex.join(["bpr", "apply", *words])


def _points(share: float) -> str:
    """A share in [0, 1] in percent; a dash for -1, where there is nothing to measure."""
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
