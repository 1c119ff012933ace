"""A summary as tables of text, in percent or in the unit of the number, for a console and for Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bpr.errors import amount
from bpr.evaluation.breakdowns import Part
from bpr.evaluation.comparison import Protocol
from bpr.evaluation.pair_metrics import PAIR_METRICS, PairMetric, Unit
from bpr.evaluation.summary import Row, Summary

TITLES = {"class": "by class", "size": "by size of the ground truth", "score": "by score"}
NONE = "-"


@dataclass(frozen=True)
class TextTable:
    """A title and rows of text. The first column holds names, the others numbers."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """The table in GitHub's form, without the title."""
        lines = [self.head, ["---", *["---:"] * (len(self.head) - 1)], *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def tables(summary: Summary, protocol: Protocol) -> list[TextTable]:
    """The metrics, then the matched pairs by class, size and score."""
    compared = any(row.before is not None for row in summary.rows.values())
    head = ["metric", "before", "after", "change", "95 % interval"] if compared else ["metric", "value"]
    rows = [
        [name, *(_change(row) if compared else [in_unit(row.value, row.unit)])] for name, row in summary.rows.items()
    ]
    parts = [_breakdown(kind, parts, compared, protocol) for kind, parts in summary.breakdowns.items() if parts]
    return [TextTable("metrics", head, rows), *parts]


def lines(summary: Summary, problems: Mapping[str, Sequence[str]]) -> list[str]:
    """The information outside the tables: the number of pairs, how many improved, the problems of every file."""
    texts = []
    if summary.breakdowns:
        rule = "same class, IoU >= .5, score >= .05"
        texts.append(f"{amount(summary.pairs, 'matched pair')} in {amount(summary.images_with_pairs, 'image')} ({rule})")
    if summary.shares:
        parts = {name: f"{100 * share:.1f} %" for name, share in vars(summary.shares).items()}
        texts.append(
            f"IoU improved {parts['improved']}, unchanged {parts['unchanged']}, harmed {parts['harmed']} of the pairs; "
            f"harmed by more than 1 point {parts['harmed_clearly']}"
        )
    return texts + [f"{role}: {problem}" for role, found in problems.items() for problem in found]


def to_markdown(summary: Summary, problems: Mapping[str, Sequence[str]], protocol: Protocol) -> str:
    """The whole summary as a Markdown page."""
    parts = [f"## {table.title}\n\n{table.markdown()}" for table in tables(summary, protocol)]
    parts.insert(1, "\n".join(f"- {line}" for line in lines(summary, problems)))
    head = ["# Evaluation", "Numbers in percent, changes in points; distances in pixels, counts as they are."]
    return "\n\n".join(part for part in [*head, *parts] if part) + "\n"


def in_unit(value: float | None, unit: Unit, signed: bool = False) -> str:
    """A number that is a share, a distance or a count; a dash if there is no value, which a change always has.

    >>> in_unit(0.1234, "%"), in_unit(-0.5, "px", signed=True), in_unit(0.01234, "1"), in_unit(-1, "px")
    ('12.34', '-0.50', '0.0123', '-')
    """
    if value is None or (value < 0 and not signed):
        return NONE
    sign = "+" if signed else ""
    return f"{value:{sign}.3g}" if unit == "1" else f"{100 * value if unit == '%' else value:{sign}.2f}"


def heading(metric: PairMetric, protocol: Protocol) -> str:
    """The name of a metric of the matched pairs in a table."""
    return metric.label.format(ratio=protocol.ratio) + ("" if metric.higher_is_better else " (lower is better)")


def _change(row: Row) -> list[str]:
    change = NONE if row.change is None else in_unit(row.change, row.unit, signed=True)
    interval = " .. ".join(in_unit(end, row.unit, signed=True) for end in row.interval) if row.interval else ""
    return [in_unit(row.before, row.unit), in_unit(row.value, row.unit), change, interval]


def _breakdown(kind: str, parts: Mapping[str, Part], compared: bool, protocol: Protocol) -> TextTable:
    with_ap = any(part.ap is not None for part in parts.values())
    head = [kind, "pairs", *(heading(metric, protocol) for metric in PAIR_METRICS)]
    head += (["improved", "harmed"] if compared else []) + (["AP"] if with_ap else [])
    rows = []
    for name, part in parts.items():
        after, before = part.after or {}, part.before or {}
        row = [name, str(part.pairs)]
        row += [_arrow(before.get(metric.name), after.get(metric.name)) for metric in PAIR_METRICS]
        if compared:
            parts_of = (part.shares.improved, part.shares.harmed) if part.shares else (None, None)
            row += [NONE if share is None else f"{100 * share:.0f} %" for share in parts_of]
        rows.append(row + ([_arrow(part.ap_before, part.ap)] if with_ap else []))
    return TextTable(f"matched pairs {TITLES[kind]}", head, rows)


def _arrow(before: float | None, after: float | None) -> str:
    """One or two shares in percent; a dash for one that has no value."""
    old, new = (NONE if value is None or value < 0 else f"{100 * value:.1f}" for value in (before, after))
    return new if before is None else f"{old} -> {new}"
