"""The matched pairs by class, by size of the truth and by score of the detection; AP of every class beside them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bpr.evaluation.case import Case
from bpr.evaluation.matched_pairs import TOLERANCE, Shares, shares
from bpr.evaluation.per_instance import category_names, size_of
from bpr.evaluation.precision_curves import class_precision

SCORES = (0.05, 0.3, 0.5, 0.7, 0.9)
"""Where the groups of scores begin."""


@dataclass(frozen=True)
class Means:
    """Over the pairs of a part: mask IoU, Boundary IoU, boundary F at 2 px."""

    iou: float
    boundary_iou: float
    boundary_f: float


@dataclass(frozen=True)
class Part:
    """The pairs of one class, size or score; None where there is no pair, no before, or no AP of such a part."""

    pairs: int
    after: Means | None = None
    before: Means | None = None
    shares: Shares | None = None
    ap: float | None = None
    ap_before: float | None = None


Breakdown = dict[str, Part]


def breakdowns(case: Case, coarse: Case | None, with_ap: bool) -> dict[str, Breakdown]:
    """Parts by their name, under ``class``, ``size`` and ``score``; a part without a pair is left out, but for its AP."""
    names = category_names(case.document)
    scores = np.array([case.records[pair.record]["score"] for pair in case.pairs])
    keys = {
        "class": [names.get(pair.annotation["category_id"], str(pair.annotation["category_id"])) for pair in case.pairs],
        "size": [size_of(pair.annotation.get("area", pair.truth.area)) for pair in case.pairs],
        "score": [score_name(score) for score in scores],
    }
    order = {"class": list(names.values()), "size": ["small", "medium", "large"], "score": [score_name(score) for score in (0, *SCORES)]}
    found = {kind: _parts(case, coarse, np.array(own, object), order[kind]) for kind, own in keys.items()}
    return {**found, "class": _with_precision(found["class"], case, coarse)} if with_ap else found


def score_name(score: float) -> str:
    """The group that a score belongs to.

    >>> score_name(0.01), score_name(0.05), score_name(0.42), score_name(1.0)
    ('0 - 0.05', '0.05 - 0.3', '0.3 - 0.5', '0.9 - 1')
    """
    low, high = list(pairwise((0.0, *SCORES, 1.0)))[bisect_right(SCORES, score)]
    return f"{low:g} - {high:g}"


def _parts(case: Case, coarse: Case | None, keys: np.ndarray, order: list[str]) -> Breakdown:
    parts = {}
    for name in order:
        own = np.flatnonzero(keys == name)
        if len(own):
            gain = case.pair_fits.iou[own] - coarse.pair_fits.iou[own] if coarse else None
            before = _means(coarse, own) if coarse else None
            parts[name] = Part(len(own), _means(case, own), before, None if gain is None else shares(gain))
    return parts


def _means(case: Case, own: np.ndarray) -> Means:
    columns = case.pair_fits.iou, case.pair_fits.boundary_iou, case.pair_f(TOLERANCE)
    return Means(*(float(column[own].mean()) for column in columns))


def _with_precision(parts: Breakdown, case: Case, coarse: Case | None) -> Breakdown:
    """The classes with their AP; also those that are annotated and have no pair."""
    names, after = category_names(case.document), class_precision(case.masks)
    before = class_precision(coarse.masks) if coarse else {}
    found = {}
    for key, value in after.items():
        own = parts.get(names.get(key, str(key)), Part(0))
        found[names.get(key, str(key))] = Part(own.pairs, own.after, own.before, own.shares, value, before.get(key))
    return found
