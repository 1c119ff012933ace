"""The instances by size, by score and by class: how many there are, and how refinement changed each group."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

import numpy as np

from bpr.evaluation.breakdowns import SCORE_RANGES, SCORES
from bpr.evaluation.comparison import UNCHANGED
from bpr.report.html.collect import Instance

Key = TypeVar("Key", bound=Hashable)

SIZES = {"small": "small, below 32² px", "medium": "medium", "large": "large, from 96² px"}


@dataclass(frozen=True)
class Group:
    """One row of a table.

    Attributes:
        query: the filter that makes the gallery show the instances of the group.
        agreement, area_change: means over the instances.
        before, after, gain: mean IoU and its change; None without a ground truth.
        harmed: share of the instances; None without a ground truth.
    """

    name: str
    query: str
    count: int
    agreement: float
    area_change: float
    before: float | None = None
    after: float | None = None
    gain: float | None = None
    harmed: float | None = None

    @property
    def change(self) -> float:
        """The mean gain, or without a ground truth 1 - ``agreement``."""
        return 1 - self.agreement if self.gain is None else self.gain


def by_size(instances: Sequence[Instance]) -> list[Group]:
    """COCO's sizes, small first."""
    members = _members(instances, lambda instance: instance.size)
    return [_group(title, {"size": size}, members[size]) for size, title in SIZES.items() if size in members]


def by_score(instances: Sequence[Instance]) -> list[Group]:
    """Ranges of the score, low first; instances without a score are left out."""
    scored = [instance for instance in instances if instance.score is not None]
    members = _members(scored, lambda instance: bisect_right(SCORES, instance.score or 0))
    return [_group(f"{low} to {high}", {"score": f"{low},{high}"}, members[index])
            for index, (low, high) in enumerate(SCORE_RANGES) if index in members]  # fmt: skip


def by_class(instances: Sequence[Instance]) -> list[Group]:
    """Classes, the most frequent first."""
    members = _members(instances, lambda instance: instance.category)
    names = sorted(members, key=lambda name: (-len(members[name]), name))
    return [_group(name, {"class": name}, members[name]) for name in names]


def _members(instances: Sequence[Instance], key: Callable[[Instance], Key]) -> dict[Key, list[Instance]]:
    members: dict[Key, list[Instance]] = defaultdict(list)
    for instance in instances:
        members[key(instance)].append(instance)
    return dict(members)


def _group(name: str, query: dict[str, Any], members: list[Instance]) -> Group:
    changes = [(instance.agreement, instance.area_change) for instance in members]
    agreement, area_change = np.mean(changes, axis=0).tolist()
    rows = [instance.row for instance in members if instance.row]
    if not rows:
        return Group(name, urlencode(query), len(members), agreement, area_change)
    values = [(row.before["iou"], row.after["iou"], row.gain, row.gain < -UNCHANGED) for row in rows]
    return Group(name, urlencode(query), len(members), agreement, area_change, *np.mean(values, axis=0).tolist())
