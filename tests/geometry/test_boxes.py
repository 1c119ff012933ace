import numpy as np

from bpr.geometry.boxes import enclosing, grow, intersect, squares_inside


def test_boxes_that_only_touch_have_an_empty_intersection() -> None:
    x0, y0, x1, y1 = intersect((0, 0, 4, 4), (4, 0, 8, 4))
    assert x0 >= x1 or y0 >= y1
    assert intersect((0, 0, 4, 4), (2, 1, 9, 3)) == (2, 1, 4, 3)


def test_grow_is_cut_at_every_side_of_the_frame() -> None:
    assert grow((1, 1, 9, 4), 2, (5, 10)) == (0, 0, 10, 5)


def test_enclosing_returns_plain_integers() -> None:
    box = enclosing(np.array([[3, 4, 5, 6], [1, 5, 4, 9]], np.int32))
    assert box == (1, 4, 5, 9)
    assert all(type(side) is int for side in box)


def test_squares_reach_the_last_row_and_column_and_never_leave_the_frame() -> None:
    frame, side = (50, 70), 16
    rows, columns = (a.ravel() for a in np.mgrid[:50, :70])
    boxes = squares_inside(rows, columns, side, frame)
    assert boxes.min() == 0
    assert boxes[:, 2].max() == 70
    assert boxes[:, 3].max() == 50
    assert (boxes[:, 2:] - boxes[:, :2] == side).all()
    holds = (boxes[:, 0] <= columns) & (columns < boxes[:, 2]) & (boxes[:, 1] <= rows) & (rows < boxes[:, 3])
    assert holds.all()


def test_a_frame_smaller_than_the_square_keeps_it_at_the_origin() -> None:
    assert squares_inside(np.array([4]), np.array([9]), 16, (5, 10)).tolist() == [[0, 0, 16, 16]]
