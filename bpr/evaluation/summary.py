"""All numbers of one evaluation. For two files: before, after, and the confidence interval of the change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from bpr.errors import BPRError
from bpr.evaluation.bootstrap import Fixed, Number, interval
from bpr.evaluation.breakdowns import Breakdown, breakdowns
from bpr.evaluation.comparison import Comparison, Evaluation, Shares
from bpr.evaluation.metrics import METRICS
from bpr.evaluation.pair_metrics import Unit
from bpr.evaluation.subjects import Subjects


@dataclass(frozen=True)
class Row:
    """One number of at least 0, or -1 where there is nothing to measure.

    Attributes:
        before: the same number for the coarse masks; None without coarse masks.
        interval: 95 % bootstrap interval of the change, None if there is no change or it cannot be resampled.
        unit: what it is shown in.
    """

    value: float
    before: float | None = None
    interval: tuple[float, float] | None = None
    unit: Unit = "%"

    @property
    def change(self) -> float | None:
        """value - before, None unless both were measured."""
        return None if self.before is None or min(self.value, self.before) < 0 else self.value - self.before


@dataclass(frozen=True)
class Summary:
    """Rows by name, such as ``F@2px/matched``; ``shares`` is None without coarse masks or without a pair."""

    rows: dict[str, Row]
    pairs: int = 0
    images_with_pairs: int = 0
    shares: Shares | None = None
    breakdowns: dict[str, Breakdown] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        rows = {name: {**asdict(row), "change": row.change} for name, row in self.rows.items()}
        return {**asdict(self), "rows": rows}


def evaluate(
    refined: Subjects, coarse: Subjects | None = None, metrics: Sequence[str] | None = None, fast: bool = False
) -> Summary:
    """Measure one results file, or two of the same detections.

    Args:
        refined: a single file goes here, whether it was refined or not.
        coarse: the masks before refinement.
        metrics: names of METRICS; by default the default metrics of these files.
        fast: use faster-coco-eval for the metrics that support it.

    Raises:
        BPRError: the files lack the data that a metric needs, or a metric raises it.
    """
    usual = {name: metric.subject for name, metric in METRICS.items() if metric.default}
    names = metrics or [name for offered in refined for name, subject in usual.items() if subject is offered]
    after, before = _measure(refined, names, fast), _measure(coarse, names, fast) if coarse else {}
    rows = {name: _row(number, before.get(name, (None, unit))[0], unit) for name, (number, unit) in after.items()}
    if Evaluation not in refined or "matched" not in names:
        return Summary(rows)
    evaluation = refined[Evaluation]
    comparison = Comparison(coarse[Evaluation], evaluation) if coarse else None
    images = len(set(evaluation.pair_images.tolist()))
    by_group = breakdowns(evaluation, comparison, "ap" in names and not fast)
    return Summary(rows, len(evaluation.pairs), images, comparison.shares if comparison else None, by_group)


def _measure(subjects: Subjects, names: Sequence[str], fast: bool) -> dict[str, tuple[Number, Unit]]:
    numbers: dict[str, tuple[Number, Unit]] = {}
    for name in names:
        metric = METRICS[name]
        if metric.subject not in subjects:
            possible = ", ".join(key for key, other in METRICS.items() if other.subject in subjects)
            raise BPRError(
                f"metric {name}: expected files that it can measure, got others; these files allow: {possible}"
            )
        measured = metric.measure(subjects[metric.subject], **({"fast": True} if fast and metric.has_fast else {}))
        numbers |= {key: (number, metric.unit) for key, number in measured.items()}
    return numbers


def _row(after: Number, before: Number | None, unit: Unit) -> Row:
    row = Row(after.value, before.value if before else None, unit=unit)
    if before is None or row.change is None or isinstance(before, Fixed) or isinstance(after, Fixed):
        return row
    return replace(row, interval=interval(before, after))
