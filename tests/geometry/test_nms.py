import numpy as np
import pytest

from bpr.geometry.placement import suppress_squares


def general_iou(a: np.ndarray, b: np.ndarray) -> float:
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union


def plain_nms(rows: np.ndarray, columns: np.ndarray, side: int, iou: float) -> list[int]:
    """Greedy, every pair compared."""
    boxes = np.stack([columns, rows, columns + side, rows + side], axis=1).tolist()
    kept: list[int] = []
    for index, box in enumerate(boxes):
        if all(general_iou(box, boxes[other]) <= iou for other in kept):
            kept.append(index)
    return kept


@pytest.mark.parametrize("iou", [0.0, 0.15, 0.25, 0.55, 0.9])
@pytest.mark.parametrize("side", [8, 64])
def test_random_points_equal_the_plain_version(side: int, iou: float) -> None:
    rng = np.random.default_rng(int(100 * iou) + side)
    rows, columns = rng.integers(0, 4 * side, 250), rng.integers(0, 5 * side, 250)
    assert suppress_squares(rows, columns, side, iou).tolist() == plain_nms(rows, columns, side, iou)


@pytest.mark.parametrize("iou", [0.0, 1 / 3, 0.5])
def test_tie_heavy_grids_equal_the_plain_version(iou: float) -> None:
    """Squares that overlap by half have an IoU of exactly 1/3: on the threshold nothing is suppressed."""
    rows, columns = (a.ravel() * 2 for a in np.mgrid[:14, :14])
    rows, columns = np.tile(rows, 2), np.tile(columns, 2)
    assert suppress_squares(rows, columns, 8, iou).tolist() == plain_nms(rows, columns, 8, iou)


def test_equal_squares_keep_the_first() -> None:
    assert suppress_squares(np.zeros(4, int), np.zeros(4, int), 8, 0.5).tolist() == [0]


def test_no_points_keep_nothing() -> None:
    assert suppress_squares(np.zeros(0, int), np.zeros(0, int), 8, 0.5).tolist() == []


def test_far_squares_do_not_meet() -> None:
    assert suppress_squares(np.array([0, 0, 3_999]), np.array([0, 3_999, 0]), 64, 0.0).tolist() == [0, 1, 2]
