"""All numbers of one evaluation, before and after side by side, every one named with its protocol and tolerance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bpr.errors import BPRError
from bpr.evaluation.breakdowns import Breakdown, breakdowns
from bpr.evaluation.case import Case
from bpr.evaluation.matched_pairs import Shares, shares
from bpr.evaluation.measured import RESAMPLES, Fixed, Measured, interval
from bpr.evaluation.metrics import DEFAULT, FAST, METRICS, Numbers
from bpr.evaluation.precision_curves import Precision

PRECISION_RESAMPLES = 200
"""Of an AP, which has to be accumulated anew for each."""

Side = Mapping[type, Any]
"""What one file can be measured on: a :class:`Case`, Cityscapes folders, panoptic results, by type."""


@dataclass(frozen=True)
class Row:
    """One number, in [0, 1] or -1 where there is nothing to measure; ``interval`` bounds the change, images drawn anew."""

    value: float
    before: float | None = None
    interval: tuple[float, float] | None = None

    @property
    def change(self) -> float | None:
        """value - before, where both were measured."""
        return None if self.before is None or min(self.value, self.before) < 0 else self.value - self.before


@dataclass(frozen=True)
class Summary:
    """Rows by name, such as ``F@2px/matched``; ``shares`` where there is a before and a pair."""

    rows: dict[str, Row]
    pairs: int = 0
    images_with_pairs: int = 0
    shares: Shares | None = None
    breakdowns: dict[str, Breakdown] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return {**asdict(self), "rows": {name: {**asdict(row), "change": row.change} for name, row in self.rows.items()}}


def evaluate(after: Side, before: Side | None = None, metrics: Sequence[str] | None = None, fast: bool = False) -> Summary:
    """Measure ``metrics`` (by default all that are usual for the files) on one file, or on two of the same detections.

    The matched pairs are those of ``before`` where it is given, of ``after`` otherwise.

    Raises:
        BPRError: a metric that the files cannot give; what the metrics raise.
    """
    names = metrics or [name for subject in after for name in DEFAULT[subject]]
    numbers, numbers_before = _measure(after, names, fast), _measure(before, names, fast) if before else {}
    rows = {name: _row(number, numbers_before.get(name)) for name, number in numbers.items()}
    if Case not in after or "matched" not in names:
        return Summary(rows)
    case, coarse = after[Case], before[Case] if before else None
    images = len(set(case.pair_images.tolist()))
    gains = shares(case.pair_fits.iou - coarse.pair_fits.iou) if coarse and case.pairs else None
    return Summary(rows, len(case.pairs), images, gains, breakdowns(case, coarse, "ap" in names and not fast))


def _measure(side: Side, names: Sequence[str], fast: bool) -> Numbers:
    numbers: Numbers = {}
    for name in names:
        metric = FAST.get(name, METRICS[name]) if fast else METRICS[name]
        if metric.subject not in side:
            possible = ", ".join(key for key, other in METRICS.items() if other.subject in side)
            raise BPRError(f"metric {name}: expected files that it can be measured on, got others; here: {possible}")
        numbers |= metric.measure(side[metric.subject])
    return numbers


def _row(after: Measured, before: Measured | None) -> Row:
    if before is None:
        return Row(after.value)
    value, value_before = after.value, before.value
    if isinstance(after, Fixed) or isinstance(before, Fixed) or min(value, value_before) < 0:
        return Row(value, value_before)
    resamples = PRECISION_RESAMPLES if isinstance(after, Precision) else RESAMPLES
    return Row(value, value_before, interval(before, after, resamples))
