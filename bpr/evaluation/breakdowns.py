"""The matched pairs by class, by size of the ground truth and by score of the detection, and the AP of every class."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import get_args

import numpy as np

from bpr.evaluation.comparison import Comparison, Evaluation, Shares, Size, category_names, shares, size_of
from bpr.evaluation.pair_metrics import PAIR_METRICS

SCORES = (0.05, 0.3, 0.5, 0.7, 0.9)
"""The limits between the groups of scores."""
SCORE_RANGES = list(pairwise((0, *SCORES, 1)))

Means = dict[str, float]
"""The means of PAIR_METRICS by name."""


@dataclass(frozen=True)
class Part:
    """The pairs of one class, size or score.

    ``after`` and ``before`` are None without a pair; ``before`` and ``shares`` also without coarse masks; ``ap`` is
    measured for classes only.
    """

    pairs: int
    after: Means | None = None
    before: Means | None = None
    shares: Shares | None = None
    ap: float | None = None
    ap_before: float | None = None


Breakdown = dict[str, Part]


def breakdowns(evaluation: Evaluation, comparison: Comparison | None, with_ap: bool) -> dict[str, Breakdown]:
    """Parts by name, under ``class``, ``size`` and ``score``.

    Parts without a pair are left out; with AP, the classes are those that are annotated.

    Args:
        evaluation: of the refined masks.
        comparison: with the coarse masks, None without them.
        with_ap: add the AP of every annotated class.
    """
    names = category_names(evaluation.document.get("categories"))
    annotations = [pair.annotation for pair in evaluation.pairs]
    classes = [names.get(item["category_id"], str(item["category_id"])) for item in annotations]
    sizes = [size_of(item["area"]) for item in annotations]
    scores = [score_group(evaluation.records[pair.record]["score"]) for pair in evaluation.pairs]
    parts = {
        "class": _parts(evaluation, comparison, classes, names.values()),
        "size": _parts(evaluation, comparison, sizes, get_args(Size)),
        "score": _parts(evaluation, comparison, scores, map(score_group, (0, *SCORES))),
    }
    if with_ap:
        after = evaluation.class_average_precisions
        before = comparison.coarse.class_average_precisions if comparison else {}
        annotated = {names.get(key, str(key)): key for key in after}
        kept = {name: parts["class"].get(name, Part(0)) for name in annotated}
        parts["class"] = {name: replace(kept[name], ap=after[key], ap_before=before.get(key)) for name, key in annotated.items()}
    return parts


def score_group(score: float) -> str:
    """The group of a score.

    >>> score_group(0.01), score_group(0.05), score_group(0.42), score_group(1.0)
    ('0 - 0.05', '0.05 - 0.3', '0.3 - 0.5', '0.9 - 1')
    """
    low, high = SCORE_RANGES[bisect_right(SCORES, score)]
    return f"{low:g} - {high:g}"


def _parts(evaluation: Evaluation, comparison: Comparison | None, keys: Sequence[str], names: Iterable[str]) -> Breakdown:
    parts, of_pairs = {}, np.array(keys, object)
    for name in names:
        rows = np.flatnonzero(of_pairs == name)
        if len(rows):
            before = _means(comparison.coarse, rows) if comparison else None
            changed = shares(comparison.gain[rows]) if comparison else None
            parts[name] = Part(len(rows), _means(evaluation, rows), before, changed)
    return parts


def _means(evaluation: Evaluation, rows: np.ndarray) -> Means:
    return {metric.name: float(evaluation.column(metric)[rows].mean()) for metric in PAIR_METRICS}
