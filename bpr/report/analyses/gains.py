"""IoU before against IoU after, pair by pair (supplement, figure S7), and what masks of each quality gain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bpr.evaluation.matched_pairs import CLEARLY, Shares, shares
from bpr.evaluation.per_instance import InstanceRow

EDGES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Of the groups of IoU before; matched pairs have .5 at least."""


@dataclass(frozen=True)
class Gain:
    """Pairs whose IoU before lies in a range: how many, their mean change of IoU and of F at 2 px, and who won."""

    low: float
    high: float
    pairs: int
    iou: float
    boundary_f: float
    shares: Shares


def gains(rows: Sequence[InstanceRow]) -> list[Gain]:
    """One :class:`Gain` per range of EDGES that holds a pair, and one over all."""
    before = np.array([row.iou_before for row in rows])
    iou = np.array([row.gain for row in rows])
    boundary_f = np.array([row.f_after - row.f_before for row in rows])
    found = []
    for low, high in [*pairwise(EDGES), (EDGES[0], EDGES[-1])]:
        own = (before >= low) & ((before < high) | (high == EDGES[-1]))
        if own.any():
            found.append(Gain(low, high, int(own.sum()), float(iou[own].mean()), float(boundary_f[own].mean()), shares(iou[own])))
    return found


def markdown(found: Sequence[Gain]) -> str:
    """The table, changes in points."""
    names = ["IoU before", "pairs", "IoU", "F@2px", "improved", "harmed", f"harmed > {100 * CLEARLY:.0f} point"]
    head = f"| {' | '.join(names)} |\n|---|{'---:|' * (len(names) - 1)}"
    return "\n".join([head, *(_line(gain) for gain in found)]) + "\n"


def _line(gain: Gain) -> str:
    label = "all" if (gain.low, gain.high) == (EDGES[0], EDGES[-1]) else f"{gain.low:.1f} - {gain.high:.1f}"
    parts = [f"{100 * getattr(gain.shares, name):.0f} %" for name in ("improved", "harmed", "harmed_clearly")]
    return f"| {label} | {gain.pairs} | {100 * gain.iou:+.2f} | {100 * gain.boundary_f:+.2f} | {' | '.join(parts)} |"
