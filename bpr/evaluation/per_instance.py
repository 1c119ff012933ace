"""The matched pairs one by one: what a table of them, a plot or a page of pictures is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bpr.evaluation.inputs import Detections, Document
from bpr.evaluation.matched_pairs import Pair, PairScores, check_aligned, match_pairs, score_records

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
        area: pixels of the annotated mask; ``size`` is COCO's word for it.
        iou_before, ...: in [0, 1]: mask IoU, Boundary IoU at .02 of the diagonal, boundary F at 2 px.
    """

    image_id: Any
    record: int
    annotation_id: Any
    category_id: Any
    category: str
    score: float
    area: int
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


def instance_rows(before: Detections, after: Detections, document: Document) -> list[InstanceRow]:
    """One row for every pair of :func:`match_pairs` on ``before``, in the order of the pairs.

    Raises:
        BPRError: ``before`` and ``after`` do not hold the same detections.
    """
    check_aligned(before, after)
    pairs = match_pairs(before.records, document)
    scores = [score_records(side.records, pairs) for side in (before, after)]
    return rows_of(pairs, scores[0], scores[1], before, document)


def rows_of(pairs: Sequence[Pair], before: PairScores, after: PairScores, coarse: Detections, document: Document) -> list[InstanceRow]:
    """The rows of pairs whose scores are there already."""
    names = {category["id"]: str(category.get("name", category["id"])) for category in document.get("categories", [])}
    rows = []
    for index, pair in enumerate(pairs):
        category_id, area = pair.annotation["category_id"], pair.truth.area
        rows.append(
            InstanceRow(
                image_id=pair.image_id,
                record=pair.record,
                annotation_id=pair.annotation.get("id"),
                category_id=category_id,
                category=names.get(category_id, str(category_id)),
                score=float(coarse.records[pair.record]["score"]),
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


def size_of(area: float) -> Size:
    """COCO's word for an instance of ``area`` pixels.

    >>> size_of(1023), size_of(1024), size_of(9216)
    ('small', 'medium', 'large')
    """
    return "small" if area < SMALL else "medium" if area < MEDIUM else "large"
