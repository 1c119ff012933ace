from pathlib import Path

import numpy as np
import pytest

from bpr.errors import BPRError
from bpr.io.images import read_image
from bpr.report.draw import PALETTE, before_after, changed_places, draw_contour, overlay, write_image


def square(frame: tuple[int, int], top: int, left: int, side: int) -> np.ndarray:
    mask = np.zeros(frame, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_an_overlay_tints_inside_draws_the_edge_and_leaves_the_rest() -> None:
    image = np.full((60, 80, 3), 100, np.uint8)
    picture = overlay(image, [square((60, 80), 10, 10, 30)], alpha=0.5, width=1)
    assert picture[25, 25].tolist() == [round(100 * 0.5 + channel * 0.5) for channel in PALETTE[0]]
    assert np.abs(picture[10, 25].astype(int) - PALETTE[0]).max() < 30
    assert picture[50, 70].tolist() == [100, 100, 100]
    assert (image == 100).all()


def test_instances_take_the_colours_in_turn() -> None:
    image = np.zeros((60, 400, 3), np.uint8)
    masks = [square((60, 400), 10, 30 * n, 20) for n in range(len(PALETTE) + 1)]
    picture = overlay(image, masks, alpha=1.0)
    inner = [tuple(picture[20, 30 * n + 10].tolist()) for n in range(len(masks))]
    assert inner == [*PALETTE, PALETTE[0]]


def test_no_masks_leave_the_image() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    assert np.array_equal(overlay(image, np.zeros((0, 20, 30), bool)), image)
    assert np.array_equal(overlay(image, np.zeros((2, 20, 30), bool)), image)


def test_no_outline_where_the_object_runs_out_of_the_picture() -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    mask = np.zeros((10, 15), bool)
    mask[:, :8] = True
    draw_contour(picture, mask, (255, 255, 255), width=1, zoom=4)
    assert set(np.nonzero(picture)[1].tolist()) <= {30, 31, 32}


def test_places_come_by_size_of_the_change_and_stay_inside() -> None:
    coarse = np.zeros((1, 300, 400), bool)
    refined = square((300, 400), 270, 380, 20) | square((300, 400), 20, 30, 12) | square((300, 400), 150, 200, 5)
    places = changed_places(coarse, refined[None], (72, 100))
    assert places[0] == (300 - 72, 400 - 100)
    for (top, left), (row, column) in zip(places, ((280, 390), (26, 36), (152, 202)), strict=True):
        assert top <= row < top + 72
        assert left <= column < left + 100


def test_equal_masks_have_no_places() -> None:
    masks = square((50, 60), 10, 10, 20)[None]
    assert changed_places(masks, masks, (20, 20)) == []


@pytest.mark.parametrize("frame", [(480, 640), (90, 120), (40, 30), (1200, 1800), (1, 1)])
@pytest.mark.parametrize("with_truth", [True, False])
def test_before_and_after_is_one_picture_for_any_size_of_image(frame: tuple[int, int], with_truth: bool) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*frame, 3), np.uint8)
    side = max(1, min(frame) // 2)
    coarse, refined = square(frame, 0, 0, side)[None], square(frame, 0, 0, max(1, side - 3))[None]
    picture = before_after(image, coarse, refined, coarse if with_truth else None)
    assert picture.dtype == np.uint8
    assert picture.shape[1] == 1316


def test_nothing_changed_nothing_enlarged() -> None:
    image, masks = np.zeros((90, 120, 3), np.uint8), square((90, 120), 10, 10, 40)[None]
    changed = before_after(image, masks, square((90, 120), 12, 10, 40)[None])
    assert before_after(image, masks, masks).shape[0] < changed.shape[0]


def test_a_written_picture_can_be_read_and_leaves_no_other_file(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    write_image(tmp_path / "new" / "picture.png", image)
    assert np.array_equal(read_image(tmp_path / "new" / "picture.png"), image)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["picture.png"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BPRError, match="cannot write there"):
        write_image(tmp_path / "file" / "picture.png", np.zeros((2, 2, 3), np.uint8))
