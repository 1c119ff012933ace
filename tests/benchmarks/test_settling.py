"""A pair stops where the network was sure, and its row takes the mask of that pass."""

import numpy as np
import pytest

from benchmarks.settling import Walk
from bpr.evaluation.matched_pairs import PairScores


def test_a_pair_that_settles_once_goes_no_further() -> None:
    values = np.array([[0.5, 0.5, 0.5], [0.6, 0.6, 0.6], [0.7, 0.4, 0.7], [0.8, 0.9, 0.6]])
    unsure = np.array([[9.0, 1.0, 9.0], [9.0, 9.0, 1.0], [9.0, 9.0, 9.0]])
    walk = Walk([PairScores(row, row, row) for row in values], unsure, np.full((3, 3), 10))
    assert walk.stopped(5, 3).tolist() == [3, 1, 2]
    assert walk.stopped(5, 2).tolist() == [2, 1, 2]
    assert walk.stopped(0, 3).tolist() == [3, 3, 3]
    row = walk.row(5, 3)
    assert row["f"] == pytest.approx((0.3 + 0.1 + 0.2) / 3)
    assert row["patches"] == pytest.approx((30 + 10 + 20) / 30)
