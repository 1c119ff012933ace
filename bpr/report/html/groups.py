"""The instances by size, by score and by class: how many, and what refining did to each group."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

import numpy as np

from bpr.evaluation.breakdowns import SCORES
from bpr.evaluation.matched_pairs import UNCHANGED
from bpr.report.html.collect import Instance

Key = TypeVar("Key", bound=Hashable)

SIZES = {"small": "small, below 32² px", "medium": "medium", "large": "large, from 96² px"}


@dataclass(frozen=True)
class Group:
    """One row of a table; ``query`` is the filter of the gallery that shows its instances.

    The numbers that need a truth are None without one.
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
        """The mean gain, or without a truth 1 - ``agreement``."""
        return 1 - self.agreement if self.gain is None else self.gain


def by_size(instances: Sequence[Instance]) -> list[Group]:
    """COCO's sizes, small first."""
    members = _members(instances, lambda instance: instance.size)
    return [_group(title, {"size": size}, members[size]) for size, title in SIZES.items() if size in members]


def by_score(instances: Sequence[Instance]) -> list[Group]:
    """Scores in steps, low first; instances without a score are left out."""
    members = _members(instances, lambda instance: None if instance.score is None else bisect_right(SCORES, instance.score))
    edges = (0, *SCORES, 1)
    return [_score_group(edges[step], edges[step + 1], members[step]) for step in sorted(step for step in members if step is not None)]


def by_class(instances: Sequence[Instance]) -> list[Group]:
    """Classes, the most frequent first."""
    members = _members(instances, lambda instance: instance.category)
    return [_group(name, {"class": name}, members[name]) for name in sorted(members, key=lambda name: (-len(members[name]), name))]


def _score_group(low: float, high: float, members: list[Instance]) -> Group:
    return _group(f"{low} to {high}", {"score": f"{low},{high}"}, members)


def _members(instances: Sequence[Instance], key: Callable[[Instance], Key]) -> dict[Key, list[Instance]]:
    members: dict[Key, list[Instance]] = defaultdict(list)
    for instance in instances:
        members[key(instance)].append(instance)
    return members


def _group(name: str, query: dict[str, Any], members: list[Instance]) -> Group:
    changes = [(instance.agreement, instance.area_change) for instance in members]
    rows = [(row.iou_before, row.iou_after, row.gain, row.gain < -UNCHANGED) for row in (instance.row for instance in members) if row]
    means = [float(value) for part in (changes, rows) if part for value in np.mean(part, axis=0)]
    return Group(name, urlencode(query), len(members), *means)
