"""The gains of masks, grouped by their IoU before refinement (in addition to figure S7 of the supplement)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bpr.evaluation.comparison import CLEARLY, PROTOCOLS, PairRow, Shares, shares
from bpr.evaluation.pair_metrics import PAIR_METRICS
from bpr.evaluation.tables import heading

EDGES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""The limits of the groups by IoU before refinement; a matched pair has at least .5."""


@dataclass(frozen=True)
class Gain:
    """The pairs whose IoU before refinement lies in ``low`` .. ``high``; ``changes`` are means by metric name."""

    low: float
    high: float
    pairs: int
    changes: dict[str, float]
    shares: Shares


def gains(rows: Sequence[PairRow]) -> list[Gain]:
    """One :class:`Gain` for every range of EDGES that holds a pair, and one for all pairs."""
    before = np.array([row.before["iou"] for row in rows])
    names = [metric.name for metric in PAIR_METRICS]
    changes = {name: np.array([row.after[name] - row.before[name] for row in rows]) for name in names}
    groups = []
    for low, high in [*pairwise(EDGES), (EDGES[0], EDGES[-1])]:
        inside = (before >= low) & ((before < high) | (high == EDGES[-1]))
        if inside.any():
            means = {name: float(change[inside].mean()) for name, change in changes.items()}
            groups.append(Gain(low, high, int(inside.sum()), means, shares(changes["iou"][inside])))
    return groups


def markdown(found: Sequence[Gain]) -> str:
    """The table; changes are in points."""
    metrics = [heading(metric, PROTOCOLS["coco"]) for metric in PAIR_METRICS]
    names = ["IoU before", "pairs", *metrics, "improved", "harmed", f"harmed > {100 * CLEARLY:.0f} point"]
    lines = [f"| {' | '.join(names)} |", f"|---|{'---:|' * (len(names) - 1)}"]
    for gain in found:
        label = "all" if (gain.low, gain.high) == (EDGES[0], EDGES[-1]) else f"{gain.low:.1f} - {gain.high:.1f}"
        cells = [label, str(gain.pairs), *(f"{100 * change:+.2f}" for change in gain.changes.values())]
        cells += [f"{100 * getattr(gain.shares, name):.0f} %" for name in ("improved", "harmed", "harmed_clearly")]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
