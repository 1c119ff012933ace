"""Smaller copies of a photo and a mask, and changes on the way back."""

from __future__ import annotations

import numpy as np
import pytest

from bpr.geometry.masks import BoxMask
from bpr.geometry.scales import Scales, carried, coarse_levels, shrunk

FRAMES = [(40, 56), (37, 51), (8, 9), (1, 1), (3, 70)]


def cells_of(array: np.ndarray, level: int) -> np.ndarray:
    """The mean of every cell, the slow way; the edge is repeated."""
    cell = 2**level
    padded = np.pad(array.astype(float), [(0, -size % cell) for size in array.shape], mode="edge")
    height, width = padded.shape
    return padded.reshape(height // cell, cell, width // cell, cell).mean(axis=(1, 3))


def blobs(frame: tuple[int, int], seed: int) -> BoxMask:
    rows, columns = np.mgrid[: frame[0], : frame[1]]
    rng, mask = np.random.default_rng(seed), np.zeros(frame, bool)
    for _ in range(3):
        centre, radius = rng.random(2) * frame, rng.uniform(0.3, 0.4) * max(frame)
        mask |= np.hypot(rows - centre[0], columns - centre[1]) < radius
    return BoxMask.from_frame(mask ^ (rng.random(frame) < 0.02))


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_mask_is_shrunk_by_the_share_of_every_cell(frame: tuple[int, int], level: int) -> None:
    for seed in range(5):
        mask = blobs(frame, seed)
        small = shrunk(mask, level)
        assert np.array_equal(small.to_frame(), cells_of(mask.to_frame(), level) > 0.5)


@pytest.mark.parametrize("frame", FRAMES)
def test_a_photo_is_halved_as_often_as_asked_and_once_each(frame: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*frame, 3), dtype=np.uint8)
    scales = Scales(image)
    assert scales.at(0) is image
    quarter = scales.at(2)
    assert scales.at(2) is quarter
    assert np.abs(scales.at(1)[..., 0] - cells_of(image[..., 0], 1)).max() <= 0.5
    assert quarter.shape[:2] == cells_of(image[..., 0], 2).shape


@pytest.mark.parametrize("level", [1, 2, 3])
def test_an_object_counts_as_known_up_to_the_given_size(level: int) -> None:
    area = (100 * 2**level) ** 2
    assert coarse_levels(area, 100) == level
    assert coarse_levels(area, 100 * 2**level) == 0
    assert coarse_levels(area, 99) == level + 1
    assert coarse_levels(0, 32) == 0


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_level_that_changed_nothing_leaves_every_pixel(frame: tuple[int, int], level: int) -> None:
    for seed in range(5):
        mask = blobs(frame, seed)
        small = shrunk(mask, level)
        assert carried(mask, small, small, level).equals(mask)


def test_what_changed_is_carried_and_detail_elsewhere_stays() -> None:
    comb = np.zeros((160, 240), bool)
    comb[40:120, 40:200] = True
    comb[20:40, 40:200:2] = True  # teeth of one pixel, far finer than a cell
    mask = BoxMask.from_frame(comb)
    before = shrunk(mask, 2)
    after = before.to_frame()
    after[30:35, 12:40] = True  # five rows of cells more at the bottom
    result = carried(mask, before, BoxMask.from_frame(after), 2).to_frame()
    assert np.array_equal(result[:118], comb[:118])
    assert result[120:138, 50:158].all()
    assert not result[142:].any()


@pytest.mark.parametrize("gained", [True, False])
def test_two_cells_more_or_less_are_the_grain_of_the_level(gained: bool) -> None:
    mask = np.zeros((64, 64), bool)
    mask[16:48, 17:47] = True
    before = shrunk(BoxMask.from_frame(mask), 2)
    after = before.to_frame()
    after[4:12, 2:4 if gained else 6] = gained
    assert carried(BoxMask.from_frame(mask), before, BoxMask.from_frame(after), 2).equals(BoxMask.from_frame(mask))


def test_changes_reach_the_last_pixels_of_a_frame_that_cells_do_not_divide() -> None:
    mask = np.zeros((50, 61), bool)
    mask[:20] = True
    before = shrunk(BoxMask.from_frame(mask), 3)
    whole = BoxMask.from_frame(np.ones(before.frame, bool))
    assert carried(BoxMask.from_frame(mask), before, whole, 3).to_frame().all()


def test_a_mask_that_would_vanish_stays() -> None:
    mask = BoxMask(np.ones((32, 32), bool), 16, 16, (64, 64))
    elsewhere = BoxMask(np.ones((1, 1), bool), 0, 0, (16, 16))
    for after in (BoxMask.empty((16, 16)), elsewhere):
        assert carried(mask, shrunk(mask, 2), after, 2).equals(mask)
