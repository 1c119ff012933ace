"""The gains of masks: a plot of the IoU before and after (supplement, figure S7), and a table by IoU before.

The plot needs matplotlib, which comes with the [report] extra.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from bpr.errors import BPRError, install_hint
from bpr.evaluation.comparison import CLEARLY, PROTOCOLS, PairRow, Shares, shares
from bpr.evaluation.pair_metrics import PAIR_METRICS
from bpr.evaluation.tables import heading
from bpr.io.files import atomic_open

EDGES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""The limits of the groups by IoU before refinement; a matched pair has at least .5."""
BETTER, WORSE, SAME = "#1f9e8a", "#d1495b", "#9aa0a6"
DPI = 130


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


def plot_scatter(path: str | Path, rows: Sequence[PairRow], title: str) -> None:
    """Plot the IoU before (x) and after (y) as a PNG, one point per pair. Pairs above the diagonal improved.

    Points of a smaller change than CLEARLY are grey.

    Raises:
        BPRError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise BPRError(f"plots need matplotlib, got none; {install_hint('report')}") from error
    x, y = (np.array([getattr(row, side)["iou"] for row in rows]) for side in ("before", "after"))
    figure = Figure(figsize=(5.4, 5.2), layout="constrained")
    axes = figure.subplots()
    groups = ((np.abs(y - x) <= CLEARLY, SAME, f"within {100 * CLEARLY:g} point"), (y - x > CLEARLY, BETTER, "better"),
              (x - y > CLEARLY, WORSE, "worse"))  # fmt: skip
    for chosen, colour, name in groups:
        label = f"{name}: {chosen.sum()} ({100 * chosen.mean():.0f} %)"
        axes.scatter(x[chosen], y[chosen], s=13, c=colour, alpha=0.65, linewidths=0, label=label)
    low = float(min(x.min(), y.min())) - 0.02
    axes.plot([low, 1], [low, 1], color="black", linewidth=0.8, zorder=0)
    axes.set(xlim=(low, 1.005), ylim=(low, 1.005), title=title)
    axes.set(xlabel="IoU of the coarse mask", ylabel="IoU of the refined mask")
    axes.set_aspect("equal")
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.legend(loc="lower right", frameon=True, framealpha=0.9, edgecolor="none", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    # Without the name of the software, the same figure gives the same bytes.
    with atomic_open(path, "wb") as file:
        figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
