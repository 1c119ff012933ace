"""Plots of the analyses, as PNG. They need matplotlib, which comes with the [report] extra."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bpr.errors import BPRError, install_hint
from bpr.io.files import atomic_open

BETTER, WORSE, SAME = "#1f9e8a", "#d1495b", "#9aa0a6"
DPI = 130


def plot_scatter(path: str | Path, before: Sequence[float], after: Sequence[float], clearly: float, title: str) -> None:
    """Plot the IoU before (x) and after (y), one point per instance. Instances above the diagonal improved.

    Args:
        clearly: points of a smaller change are grey.

    Raises:
        BPRError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise BPRError(f"plots need matplotlib, got none; {install_hint('report')}") from error
    x, y = np.asarray(before), np.asarray(after)
    figure = Figure(figsize=(5.4, 5.2), layout="constrained")
    axes = figure.subplots()
    groups = ((np.abs(y - x) <= clearly, SAME, f"within {100 * clearly:g} point"), (y - x > clearly, BETTER, "better"),
              (x - y > clearly, WORSE, "worse"))  # fmt: skip
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
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    # Without the name of the software, the same figure gives the same bytes.
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DPI, metadata={"Software": None})
    with atomic_open(path, "wb") as file:
        file.write(content.getvalue())
