import numpy as np

from bpr.geometry.boundary import boundary_levels, boundary_pixels
from bpr.geometry.masks import BoxMask


def plain_levels(mask: np.ndarray) -> np.ndarray:
    """METHOD: s = 3x3 sum (edge repeated), level = min(s, 9 - s)."""
    padded = np.pad(mask.astype(int), 1, mode="edge")
    sums = np.array([[padded[r : r + 3, c : c + 3].sum() for c in range(mask.shape[1])] for r in range(mask.shape[0])])
    return np.minimum(sums, 9 - sums)


def test_levels_of_one_pixel() -> None:
    mask = np.zeros((5, 5), bool)
    mask[2, 2] = True
    expected = np.zeros((5, 5), int)
    expected[1:4, 1:4] = 1
    assert np.array_equal(boundary_levels(mask), expected)


def test_levels_equal_the_plain_definition() -> None:
    rng = np.random.default_rng(0)
    for density in (0.1, 0.5, 0.9):
        mask = rng.random((17, 23)) < density
        assert np.array_equal(boundary_levels(mask), plain_levels(mask))


def test_full_and_empty_masks_have_no_boundary() -> None:
    for mask in (np.ones((6, 7), bool), np.zeros((6, 7), bool), np.zeros((0, 0), bool)):
        assert not boundary_levels(mask).any()
        assert boundary_pixels(BoxMask.from_frame(mask))[0].size == 0


def test_pixels_come_surest_first_then_by_row_then_by_column() -> None:
    rng = np.random.default_rng(1)
    mask = rng.random((20, 30)) < 0.4
    levels = plain_levels(mask)
    expected = sorted(zip(*np.nonzero(levels), strict=True), key=lambda at: (-levels[at], *at))
    rows, columns = boundary_pixels(BoxMask.from_frame(mask))
    assert list(zip(rows, columns, strict=True)) == expected


def test_the_boundary_does_not_depend_on_where_the_frame_puts_the_mask() -> None:
    mask = np.zeros((40, 50), bool)
    mask[12:20, 15:31] = True
    rows, columns = boundary_pixels(BoxMask(mask[12:20, 15:31], 15, 12, (40, 50)))
    far_rows, far_columns = boundary_pixels(BoxMask(mask[12:20, 15:31], 7015, 9012, (10_000, 10_000)))
    assert np.array_equal(far_rows, rows + 9000)
    assert np.array_equal(far_columns, columns + 7000)
