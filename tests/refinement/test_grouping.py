"""Records grouped by image, before anything is refined."""

from __future__ import annotations

from typing import Any

import pytest

from bpr.errors import BPRError
from bpr.refinement.choice import Choice
from bpr.refinement.grouping import group_by_image

RECORDS = [{"image_id": index // 2, "segmentation": {"size": [4, 4], "counts": "a"}} for index in range(4)]


def test_records_are_grouped_by_image_and_large_images_cost_more() -> None:
    large = {"image_id": "b", "segmentation": {"size": [4, 4], "counts": "x" * 500}}
    by_image = group_by_image([RECORDS[0], large, RECORDS[1], {**RECORDS[3], "score": 0.1}], Choice(min_score=0.5))
    assert list(by_image) == [[0, 2], [1]]
    assert by_image.costs[1] > 2 * by_image.costs[0]
    assert len(group_by_image([])) == 0


@pytest.mark.parametrize("score", ["0.9", None, True, [1]])
def test_a_score_that_is_no_number_is_said_before_any_work(score: Any) -> None:
    with pytest.raises(
        BPRError, match=r"record 1: expected a score that is a number, for --min-score, got .*; correct it or leave it out"
    ):
        group_by_image([RECORDS[0], {**RECORDS[1], "score": score}], Choice(min_score=0.5))
    assert len(group_by_image([{**RECORDS[1], "score": score}])) == 1
