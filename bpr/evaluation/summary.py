"""All numbers of one evaluation, every one named with its protocol and tolerance."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from bpr.evaluation.average_precision import average_precision
from bpr.evaluation.inputs import Detections, Document
from bpr.evaluation.matched_pairs import (
    BOUNDARY_RATIO,
    METRICS,
    TOLERANCE,
    Pair,
    PairScores,
    Shares,
    check_aligned,
    compare,
    match_pairs,
    score_records,
)

PAIR_NAMES = dict(zip(METRICS, ("IoU/matched", f"BoundaryIoU@{BOUNDARY_RATIO}/matched", f"F@{TOLERANCE}px/matched"), strict=True))


@dataclass(frozen=True)
class Row:
    """One metric, in [0, 1] or -1 where there is nothing to measure; ``interval`` bounds the mean change."""

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
    pairs: int
    images_with_pairs: int
    shares: Shares | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        rows = {name: {**asdict(row), "change": row.change} for name, row in self.rows.items()}
        return {**asdict(self), "rows": rows}


def evaluate(results: Detections, document: Document, before: Detections | None = None) -> Summary:
    """COCO mask AP and the matched-pair metrics of ``results``, beside those of ``before``.

    The pairs are those of ``before`` where it is given, of ``results`` otherwise.

    Raises:
        BPRError: ``before`` and ``results`` do not hold the same detections; what :func:`average_precision` raises.
    """
    if before:
        check_aligned(before, results)
    pairs = match_pairs((before or results).records, document)
    precision = average_precision(results.records, document)
    precision_before = average_precision(before.records, document) if before else {}
    rows = {f"{name}/COCO": Row(value, precision_before.get(name)) for name, value in precision.items()}
    shares = None
    if pairs:
        scores = score_records(results.records, pairs)
        matched, shares = _matched_rows(scores, pairs, score_records(before.records, pairs) if before else None)
        rows |= matched
    return Summary(rows, len(pairs), len({pair.image_id for pair in pairs}), shares)


def _matched_rows(scores: PairScores, pairs: list[Pair], before: PairScores | None) -> tuple[dict[str, Row], Shares | None]:
    means = scores.means()
    if before is None:
        return {PAIR_NAMES[name]: Row(means[name]) for name in METRICS}, None
    comparison, means_before = compare(before, scores, pairs), before.means()
    intervals = {name: (change.low, change.high) for name, change in comparison.changes.items()}
    return {PAIR_NAMES[name]: Row(means[name], means_before[name], intervals[name]) for name in METRICS}, comparison.shares
