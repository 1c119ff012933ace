"""Close-ups and sheets."""

from __future__ import annotations

import numpy as np

from bpr.geometry.masks import BoxMask
from bpr.report.draw import BACKGROUND, GAP
from bpr.report.tiles import SMALLEST_WIDTH, captioned, close_up, flat, sheet, square_around

MASK = np.zeros((50, 80), bool)
MASK[10:30, 20:50] = True


def test_a_square_stays_in_the_frame_where_it_fits() -> None:
    assert square_around([(0, 0, 60, 20)], (100, 200), margin=0.0) == (0, 0, 60, 60)
    assert square_around([(190, 90, 200, 100)], (100, 200)) == (152, 52, 200, 100)
    left, top, right, bottom = square_around([(0, 0, 80, 50)], (50, 80))
    assert right - left == bottom - top == 104


def test_a_close_up_beyond_the_frame_is_dark_there() -> None:
    image = np.full((50, 80, 3), 200, np.uint8)
    tile = close_up(image, (40, 10, 120, 90), 40)
    assert tile[5, 5].tolist() == [200] * 3
    assert tile[35, 35].tolist() == list(BACKGROUND)


def test_outlines_and_flat_masks_lie_where_the_mask_does() -> None:
    image = np.zeros((50, 80, 3), np.uint8)
    tile = close_up(image, (10, 0, 60, 50), 200, [(BoxMask.from_frame(MASK), (255, 0, 0), 1)])
    rows, columns = np.nonzero(tile[..., 0] > 100)
    assert (rows.min() // 4, columns.min() // 4, rows.max() // 4, columns.max() // 4) == (10, 10, 29, 39)
    drawn = flat(BoxMask.from_frame(MASK), (10, 0, 60, 50), 50)
    assert np.array_equal(drawn[..., 0] > 128, MASK[:, 10:60])


def test_a_sheet_holds_all_tiles() -> None:
    tiles = [captioned(np.full((30, 400, 3), 9 * number, np.uint8), ["one", "two"]) for number in range(5)]
    picture = sheet(tiles, 2, "title")
    assert picture.shape[1] == 2 * 400 + 3 * GAP
    assert sheet([tile[:, :40] for tile in tiles], 2, "title").shape[1] == SMALLEST_WIDTH + 2 * GAP
    assert sheet(tiles[:1], 2, "title").shape[0] < picture.shape[0]
