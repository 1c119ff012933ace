import numpy as np

from bpr.geometry.coarse_grid import from_cells, signed_distance, to_cells


def test_cells_need_not_be_square_nor_divide_the_mask() -> None:
    mask = np.zeros((9, 12), np.float32)
    mask[:, :6] = 1
    assert to_cells(mask, (6.0, 3.0)).tolist() == [[1.0, 0.0]] * 3
    assert to_cells(mask, 4.0).shape == (2, 3)
    assert to_cells(mask, 100.0).shape == (2, 2)


def test_cells_of_one_pixel_change_nothing() -> None:
    mask = (np.random.default_rng(0).random((7, 9)) < 0.5).astype(np.float32)
    assert np.array_equal(from_cells(to_cells(mask, 1.0), mask.shape), mask)


def test_the_zero_of_the_distance_lies_between_pixels() -> None:
    mask = np.zeros((9, 9), bool)
    mask[3:6, 3:6] = True
    distance = signed_distance(mask)
    assert np.array_equal(distance < 0, mask)
    assert np.array_equal(distance < 1, np.pad(np.ones((5, 5), bool), 2))
    assert np.argwhere(distance < -1).tolist() == [[4, 4]]
