"""The instances by size, by score and by class: how many there are, and how refinement changed each group."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import numpy as np

from bpr.evaluation.breakdowns import SCORE_RANGES, SCORES
from bpr.evaluation.comparison import UNCHANGED
from bpr.evaluation.matching import grouped
from bpr.report.html.collect import Instance

SIZES = {"small": "small, below 32² px", "medium": "medium", "large": "large, from 96² px"}


@dataclass(frozen=True)
class Group:
    """One row of a table.

    Attributes:
        query: the filter that makes the gallery show the instances of the group.
        area_change: mean over the instances.
        change: the mean gain of IoU, or without a ground truth 1 - the mean ``agreement``.
        before, after: mean IoU; None without a ground truth.
        harmed: share of the instances; None without a ground truth.
    """

    name: str
    query: str
    count: int
    area_change: float
    change: float
    before: float | None = None
    after: float | None = None
    harmed: float | None = None


def by_size(instances: Sequence[Instance]) -> list[Group]:
    """COCO's sizes, small first."""
    members = grouped(instances, lambda instance: instance.size)
    return [_group(title, {"size": size}, members[size]) for size, title in SIZES.items() if size in members]


def by_score(instances: Sequence[Instance]) -> list[Group]:
    """Ranges of the score, low first; instances without a score are left out."""
    scored = [instance for instance in instances if instance.score is not None]
    members = grouped(scored, lambda instance: bisect_right(SCORES, instance.score or 0))
    return [_group(f"{low} to {high}", {"score": f"{low},{high}"}, members[index])
            for index, (low, high) in enumerate(SCORE_RANGES) if index in members]  # fmt: skip


def by_class(instances: Sequence[Instance]) -> list[Group]:
    """Classes, the most frequent first."""
    members = grouped(instances, lambda instance: instance.category)
    names = sorted(members, key=lambda name: (-len(members[name]), name))
    return [_group(name, {"class": name}, members[name]) for name in names]


def _group(name: str, query: dict[str, Any], members: list[Instance]) -> Group:
    changes = [(instance.agreement, instance.area_change) for instance in members]
    agreement, area_change = np.mean(changes, axis=0).tolist()
    rows = [instance.row for instance in members if instance.row]
    values = [(row.gain, row.before["iou"], row.after["iou"], row.gain < -UNCHANGED) for row in rows]
    numbers = np.mean(values, axis=0).tolist() if rows else [1 - agreement]
    return Group(name, urlencode(query), len(members), area_change, *numbers)
