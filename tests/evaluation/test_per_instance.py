"""The rows of the matched pairs."""

from __future__ import annotations

import pytest

from bpr.evaluation.inputs import check_detections
from bpr.evaluation.matched_pairs import match_pairs
from bpr.evaluation.per_instance import rows_of_pairs
from tests.evaluation.test_matched_pairs import document, found, square, truth

ANNOTATIONS = document(truth(square(5, 5), id=70), truth(square(30, 20), category_id=2, id=71))
COARSE = [found(square(0, 25), 0.9), found(square(31, 20), 0.5, category_id=2), found(square(6, 5), 0.75)]


def test_a_row_says_who_found_what_and_how_well() -> None:
    before = check_detections(COARSE, ANNOTATIONS, "before").records
    after = check_detections([COARSE[0], COARSE[1], found(square(5, 5), 0.75)], ANNOTATIONS, "after").records
    rows = rows_of_pairs(match_pairs(before, ANNOTATIONS), before, after, ANNOTATIONS)
    assert [(row.record, row.annotation_id, row.category, row.score, row.size) for row in rows] == [
        (2, 70, "a", 0.75, "small"),
        (1, 71, "b", 0.5, "small"),
    ]
    # Shifted by one: 90 of 110 pixels.
    assert (rows[0].iou_before, rows[0].iou_after, rows[0].f_after) == (pytest.approx(90 / 110), 1, 1)
    assert rows[0].gain == pytest.approx(20 / 110)
    assert rows[1].gain == 0
