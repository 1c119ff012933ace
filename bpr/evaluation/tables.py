"""A summary as tables of text, in percent, for a console and for Markdown alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bpr.evaluation.breakdowns import Means, Part
from bpr.evaluation.summary import Row, Summary

TITLES = {"class": "by class", "size": "by size of the truth", "score": "by score"}
NONE = "-"


@dataclass(frozen=True)
class TextTable:
    """A title and rows of text; the first column is words, the others are numbers."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """The table alone, in GitHub's form."""
        lines = [self.head, ["---", *["---:"] * (len(self.head) - 1)], *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def tables(summary: Summary) -> list[TextTable]:
    """The metrics, then the matched pairs by class, size and score."""
    compared = any(row.before is not None for row in summary.rows.values())
    head = ["metric", "before", "after", "change", "95 % interval"] if compared else ["metric", "value"]
    rows = [[name, *(_change(row) if compared else [percent(row.value)])] for name, row in summary.rows.items()]
    return [TextTable("metrics", head, rows), *(_breakdown(kind, parts, compared) for kind, parts in summary.breakdowns.items() if parts)]


def lines(summary: Summary, problems: Mapping[str, Sequence[str]]) -> list[str]:
    """What the tables cannot hold: the pairs, who won, and by file what could not be read or counted."""
    said = []
    if summary.breakdowns:
        said.append(f"{summary.pairs} matched pairs in {summary.images_with_pairs} images (same class, IoU >= .5, score >= .05)")
    if summary.shares:
        parts = {name: f"{100 * share:.1f} %" for name, share in vars(summary.shares).items()}
        said.append(
            f"IoU improved {parts['improved']}, unchanged {parts['unchanged']}, harmed {parts['harmed']} of the pairs; "
            f"harmed by more than 1 point {parts['harmed_clearly']}"
        )
    return said + [f"{role}: {problem}" for role, found in problems.items() for problem in found]


def to_markdown(summary: Summary, problems: Mapping[str, Sequence[str]]) -> str:
    """The whole summary as one Markdown page."""
    parts = [f"## {table.title}\n\n{table.markdown()}" for table in tables(summary)]
    parts.insert(1, "\n".join(f"- {line}" for line in lines(summary, problems)))
    return "\n\n".join(part for part in ["# Evaluation", "Numbers in percent, changes in points.", *parts] if part) + "\n"


def percent(value: float | None, digits: int = 2) -> str:
    """A dash where there is nothing."""
    return NONE if value is None or value < 0 else f"{100 * value:.{digits}f}"


def _change(row: Row) -> list[str]:
    change = NONE if row.change is None else f"{100 * row.change:+.2f}"
    interval = f"{100 * row.interval[0]:+.2f} .. {100 * row.interval[1]:+.2f}" if row.interval else ""
    return [percent(row.before), percent(row.value), change, interval]


def _breakdown(kind: str, parts: dict[str, Part], compared: bool) -> TextTable:
    with_ap = any(part.ap is not None for part in parts.values())
    head = [kind, "pairs", "IoU", "boundary IoU", "F@2px", *(["improved", "harmed"] if compared else []), *(["AP"] if with_ap else [])]
    rows = [[name, str(part.pairs), *_means(part), *(_shares(part) if compared else []), *([_ap(part)] if with_ap else [])]
            for name, part in parts.items()]  # fmt: skip
    return TextTable(f"matched pairs {TITLES[kind]}", head, rows)


def _means(part: Part) -> list[str]:
    return [_arrow(getattr(part.before, name, None), getattr(part.after, name, None)) for name in Means.__dataclass_fields__]


def _shares(part: Part) -> list[str]:
    return [f"{100 * getattr(part.shares, name):.0f} %" if part.shares else NONE for name in ("improved", "harmed")]


def _ap(part: Part) -> str:
    return _arrow(part.ap_before, part.ap)


def _arrow(before: float | None, after: float | None) -> str:
    return percent(after, 1) if before is None else f"{percent(before, 1)} -> {percent(after, 1)}"
