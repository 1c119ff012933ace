"""The plots of the overview, as SVG. They take their colours from the page, and so follow its dark or light theme.

Legend: N instances. A gain is in points of IoU.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bpr.evaluation.comparison import MEDIUM, SMALL, UNCHANGED
from bpr.report.html.collect import Instance

INK, FAINT, GAIN, HARM, SAME = "#010101", "#020202", "#030303", "#040404", "#050505"
VARIABLES = {INK: "var(--soft)", FAINT: "var(--line)", GAIN: "var(--gain)", HARM: "var(--harm)", SAME: "var(--same)"}
"""Placeholder colours, and the variables of assets/report.css that replace them."""
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 12,
    **dict.fromkeys(("axes.spines.top", "axes.spines.right"), False),
    **dict.fromkeys(("axes.grid", "axes.axisbelow"), True),
    **dict.fromkeys(("grid.color", "axes.edgecolor"), FAINT),
    **dict.fromkeys(("axes.labelcolor", "text.color", "xtick.color", "ytick.color"), INK),
    **dict.fromkeys(("xtick.major.size", "ytick.major.size", "xtick.minor.size"), 0),
}
SIZE = (5.4, 3.5)
"""Inches; the page scales it."""
BINS = 40
MOST_DOTS = 1200
"""A plot shows at most this many instances as dots."""
MEDIANS, FEWEST_PER_MEDIAN = 8, 15
"""A line of medians has at most MEDIANS points, and each point covers at least FEWEST_PER_MEDIAN instances."""
NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))
POINTS, CHANGE, GROWTH = "gain of IoU in points", "change in points", "change of area in percent"
MEDIANS_ARE = "The line joins medians."


@dataclass(frozen=True)
class Plot:
    title: str
    caption: str
    svg: str


@dataclass(frozen=True, eq=False)
class Values:
    """What the plots draw of N instances, in their order.

    Attributes:
        change: (N,) gain, or without a ground truth another change.
        instances: whose changes they are.
        links: the address of each instance's view, None if it has none.
        is_gain: whether a positive change is an improvement.
    """

    change: np.ndarray
    instances: Sequence[Instance]
    links: list[str | None]
    is_gain: bool

    def colours(self) -> np.ndarray:
        """(N,) colours for gain, harm and no change; one colour if the changes are not gains."""
        changed = self.is_gain & (np.abs(self.change) > 100 * UNCHANGED)
        sign = np.where(changed, np.sign(self.change), 0)
        return np.array([SAME, GAIN, HARM])[sign.astype(int)]


def plots_of_gains(instances: Sequence[Instance], links: list[str | None]) -> list[Plot]:
    """The plots of instances with a ground truth."""
    rows = [instance.row for instance in instances if instance.row]
    before, after = (np.array([100 * getattr(row, side)["iou"] for row in rows]) for side in ("before", "after"))
    values = Values(after - before, instances, links, is_gain=True)
    diagonal, medians = (f"{words} {_dots_are(values)}" for words in ("Masks above the diagonal improved.", MEDIANS_ARE))
    return [
        _plot("How much each mask gained", "Masks by their gain of IoU.", "gains", lambda axes: _histogram(axes, values, POINTS)),
        _plot("IoU before and after", diagonal, "scatter", lambda axes: _scatter(axes, before, after, values)),
        _plot("Gain by size", medians, "sizes", lambda axes: _by_size(axes, values, POINTS)),
        _plot("Gain by score", medians, "scores", lambda axes: _by_score(axes, values)),
    ]


def plots_of_changes(instances: Sequence[Instance], links: list[str | None]) -> list[Plot]:
    """The plots of instances without a ground truth: how much each changed, not whether it improved."""
    values = Values(np.array([100 * i.change for i in instances]), instances, links, is_gain=False)
    grown = Values(np.array([100 * i.area_change for i in instances]), instances, links, is_gain=False)
    by_iou, medians = "Masks by 100 − IoU(before, after).", f"{MEDIANS_ARE} {_dots_are(values)}"
    return [
        _plot("How much each mask changed", by_iou, "changes", lambda axes: _histogram(axes, values, CHANGE)),
        _plot("Grown or shrunk", "Masks by the change of their area.", "areas", lambda axes: _histogram(axes, grown, GROWTH)),
        _plot("Change by size", medians, "sizes", lambda axes: _by_size(axes, values, CHANGE)),
        _plot("Growth by size", medians, "growth", lambda axes: _by_size(axes, grown, GROWTH)),
    ]


def _dots_are(values: Values) -> str:
    count = len(values.change)
    many = f"{MOST_DOTS} of {count} masks, picked at random, are dots" if count > MOST_DOTS else "Every mask is a dot"
    return f"{many}; click one to see it."


def _plot(title: str, caption: str, name: str, draw: Callable[[Axes], None]) -> Plot:
    """Draw a plot. Equal inputs give equal text; ``name`` keeps the ids of different plots apart."""
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        figure = Figure(figsize=SIZE, layout="constrained")
        figure.patch.set_visible(False)
        axes = figure.subplots()
        axes.patch.set_visible(False)
        draw(axes)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata=NO_METADATA)
    text = file.getvalue()
    text = text[text.index("<svg") :]
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, variable)
    return Plot(title, caption, text)


def _histogram(axes: Axes, values: Values, label: str) -> None:
    """Bars stacked by colour. The outermost bars also count the few values beyond them."""
    low, high = np.quantile(values.change, [0.005, 0.995])
    # One edge lies at zero, so that no bar mixes gains and losses.
    step = max(max(high, 0) - min(low, 0), 0.1) / BINS
    edges = np.arange(np.floor(min(low, 0) / step), np.ceil(max(high, step) / step) + 1) * step
    colours, inside = values.colours(), np.clip(values.change, edges[0], edges[-1])
    order = [HARM, SAME, GAIN]
    axes.hist([inside[colours == colour] for colour in order], bins=edges, stacked=True, color=order)
    axes.axvline(0, color=INK, linewidth=1)
    axes.set(xlabel=label, ylabel="masks")
    axes.grid(axis="x", visible=False)


def _scatter(axes: Axes, before: np.ndarray, after: np.ndarray, values: Values) -> None:
    start = max(0, np.floor(min(before.min(), after.min()) / 10) * 10)
    axes.plot([start, 100], [start, 100], color=INK, linewidth=1)
    _dots(axes, before, after, values)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], prune="lower"))
    axes.set(xlim=(start, 101), ylim=(start, 101), xlabel="IoU before", ylabel="IoU after")


def _by_size(axes: Axes, values: Values, label: str) -> None:
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:.0f}")
    for limit in (SMALL, MEDIUM):
        axes.axvline(limit**0.5, color=INK, linewidth=0.8, linestyle=(0, (3, 3)))
    sides = np.sqrt([max(instance.area, 1) for instance in values.instances])
    _changes(axes, sides, values, "√area in pixels (dashed: limits of small, medium, large)", label)


def _by_score(axes: Axes, values: Values) -> None:
    scores = np.array([instance.score for instance in values.instances], float)
    _changes(axes, scores, values, "score of the detection", POINTS)


def _changes(axes: Axes, x: np.ndarray, values: Values, xlabel: str, ylabel: str) -> None:
    """A dot per change, and a line through the medians of groups of equal size."""
    axes.axhline(0, color=INK, linewidth=1)
    _dots(axes, x, values.change, values)
    parts = np.array_split(np.argsort(x, kind="stable"), min(MEDIANS, len(x) // FEWEST_PER_MEDIAN) or 1)
    medians = ([np.median(axis[part]) for part in parts] for axis in (x, values.change))
    axes.plot(*medians, color=INK, linewidth=2)
    low, high = np.quantile(values.change, [0.002, 0.998])
    axes.set(ylim=(min(low, 0) - 1, max(high, 0) + 1), xlabel=xlabel, ylabel=ylabel)


def _dots(axes: Axes, x: np.ndarray, y: np.ndarray, values: Values) -> None:
    drawn = np.sort(np.random.default_rng(0).permutation(len(x))[:MOST_DOTS])
    dots = axes.scatter(x[drawn], y[drawn], s=20, c=values.colours()[drawn], alpha=0.7, linewidths=0)
    dots.set_urls([values.links[index] for index in drawn])
