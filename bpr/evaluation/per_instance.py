"""The matched pairs one by one: what a table of them, a plot or a page of pictures is made from."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from bpr.evaluation.case import Case
from bpr.evaluation.inputs import Document
from bpr.evaluation.matched_pairs import TOLERANCE, Pair, PairScores, score_records
from bpr.formats.coco import Record
from bpr.io.files import atomic_open

Size = Literal["small", "medium", "large"]
SMALL, MEDIUM = 32**2, 96**2
"""Areas in pixels where COCO's sizes end."""


@dataclass(frozen=True)
class InstanceRow:
    """One annotated instance, the record that found it, and how well that fits before and after refinement.

    Attributes:
        record: index in both results files.
        annotation_id: None where the annotation has none.
        category: the class's name; its number as text where the annotation file names none.
        score: of the record before refinement.
        area: of the annotated mask, in pixels, as the file states it; ``size`` is COCO's word for it.
        iou_before, ...: in [0, 1]: mask IoU, Boundary IoU at .02 of the diagonal, boundary F at 2 px.
    """

    image_id: Any
    record: int
    annotation_id: Any
    category_id: Any
    category: str
    score: float
    area: float
    size: Size
    iou_before: float
    iou_after: float
    boundary_iou_before: float
    boundary_iou_after: float
    f_before: float
    f_after: float

    @property
    def gain(self) -> float:
        """Change of the mask IoU; below 0 the refinement harmed."""
        return self.iou_after - self.iou_before


def rows_of_pairs(pairs: Sequence[Pair], before: Sequence[Record], after: Sequence[Record], document: Document) -> list[InstanceRow]:
    """The row of every pair, the records of both sides at the same places."""
    return rows_of(pairs, score_records(before, pairs), score_records(after, pairs), before, document)


def case_rows(before: Case, after: Case) -> list[InstanceRow]:
    """The same rows of cases whose masks have been measured already; Boundary IoU follows their protocol."""
    scores = [PairScores(case.pair_fits.iou, case.pair_fits.boundary_iou, case.pair_f(TOLERANCE)) for case in (before, after)]
    return rows_of(before.pairs, scores[0], scores[1], before.records, before.document)


def rows_of(
    pairs: Sequence[Pair], before: PairScores, after: PairScores, coarse: Sequence[Record], document: Document
) -> list[InstanceRow]:
    """The rows of pairs whose scores are there already; ``coarse`` are the records before."""
    names = category_names(document)
    rows = []
    for index, pair in enumerate(pairs):
        category_id, area = pair.annotation["category_id"], float(pair.annotation.get("area", pair.truth.area))
        rows.append(
            InstanceRow(
                image_id=pair.image_id,
                record=pair.record,
                annotation_id=pair.annotation.get("id"),
                category_id=category_id,
                category=names.get(category_id, str(category_id)),
                score=float(coarse[pair.record]["score"]),
                area=area,
                size=size_of(area),
                iou_before=float(before.iou[index]),
                iou_after=float(after.iou[index]),
                boundary_iou_before=float(before.boundary_iou[index]),
                boundary_iou_after=float(after.boundary_iou[index]),
                f_before=float(before.boundary_f[index]),
                f_after=float(after.boundary_f[index]),
            )
        )
    return rows


def category_names(document: Document) -> dict[Any, str]:
    """Names by id; a class without a name is called by its number."""
    return {category["id"]: str(category.get("name", category["id"])) for category in document.get("categories", [])}


def write_csv(path: str | Path, rows: Sequence[InstanceRow]) -> None:
    """One line per row under the names of its fields."""
    with atomic_open(path) as file:
        writer = csv.DictWriter(file, [field.name for field in fields(InstanceRow)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def size_of(area: float) -> Size:
    """COCO's word for an instance of ``area`` pixels.

    >>> size_of(1023), size_of(1024), size_of(9216)
    ('small', 'medium', 'large')
    """
    return "small" if area < SMALL else "medium" if area < MEDIUM else "large"
