"""Coarse masks of every maker: what each does to a mask of a few pixels, and what all of them keep to."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import cv2
import numpy as np
import pytest

from bpr.evaluation.boundary_metrics import overlap
from bpr.geometry.masks import BoxMask
from bpr.training.data import makers
from bpr.training.data.makers import MAKERS, Maker, coarse_mask

FRAME = (160, 200)
BY_NAME = {maker.name: maker for maker in MAKERS}


def drawn(*rows: str) -> np.ndarray:
    return np.array([[character == "#" for character in row] for row in rows])


def disc(radius: int = 40) -> np.ndarray:
    return cv2.circle(np.zeros(FRAME, np.uint8), (100, 80), radius, 1, -1).astype(bool)


def made(name: str, mask: np.ndarray, count: int = 40) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [BY_NAME[name].make(mask, rng) for _ in range(count)]


class Scripted:
    """A generator whose every draw is the same share of the way from low to high."""

    def __init__(self, share: float) -> None:
        self.share = share

    def uniform(self, low: float, high: float) -> float:
        return low + self.share * (high - low)

    def random(self) -> float:
        return self.share

    def standard_normal(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.zeros(shape)


def test_moving_a_boundary_is_signed() -> None:
    mask = drawn("......", "......", "..##..", "..##..", "......", "......")
    larger = drawn("......", ".####.", ".####.", ".####.", ".####.", "......")
    assert np.array_equal(makers.moved(mask, 1), larger)
    assert np.array_equal(makers.moved(larger, -1), mask)
    assert np.array_equal(makers.moved(mask, 0), mask)


@pytest.mark.parametrize(("share", "first", "last"), [(0.0, 34, 65), (0.5, 30, 69), (1.0, 26, 73)])
def test_the_bias_goes_from_four_pixels_inwards_to_four_outwards(share: float, first: int, last: int) -> None:
    square = np.zeros((100, 100), bool)
    square[30:70, 30:70] = True
    row = makers.biased(square, cast(np.random.Generator, Scripted(share)))[50]
    assert np.flatnonzero(row).tolist() == list(range(first, last + 1))


def test_bias_leans_to_neither_side_and_a_small_object_is_moved_less() -> None:
    areas = np.array([mask.sum() for mask in made("biased", disc(40), 200)]) / disc(40).sum()
    assert abs(areas.mean() - 1) < 0.02
    assert areas.min() < 0.85
    assert areas.max() > 1.15
    small = [overlap(mask, disc(6)).iou for mask in made("biased", disc(6))]
    assert min(small) > 0.4


@pytest.mark.parametrize("name", ["mask-head", "low-resolution", "polygon", "clicks", "biased", "warped"])
def test_makers_without_a_box_of_their_own_are_unbiased(name: str) -> None:
    assert abs(np.mean([mask.sum() for mask in made(name, disc(40), 200)]) / disc(40).sum() - 1) < 0.02


def test_half_of_the_perfect_masks_are_the_truth_and_the_others_nearly_so() -> None:
    masks = made("perfect", disc(40), 100)
    assert 30 < sum(np.array_equal(mask, disc(40)) for mask in masks) < 90
    assert min(overlap(mask, disc(40)).iou for mask in masks) > 0.97


def test_a_mask_head_puts_nothing_beyond_its_box() -> None:
    box = drawn(*["." * 30] * 5, *["." * 5 + "#" * 20 + "." * 5] * 20, *["." * 30] * 5)
    for mask in made("mask-head", box):
        assert mask[:2].sum() == mask[:, :2].sum() == mask[-2:].sum() == mask[:, -2:].sum() == 0


def test_holes_lie_in_the_object_and_specks_beside_it() -> None:
    truth = disc(40)
    inside, beside = (
        cv2.erode(truth.astype(np.uint8), np.ones((9, 9))) > 0,
        cv2.dilate(truth.astype(np.uint8), np.ones((9, 9))) == 0,
    )
    masks = made("holes-and-specks", truth)
    assert np.mean([(inside & ~mask).any() for mask in masks]) > 0.8
    assert np.mean([(beside & mask).any() for mask in masks]) > 0.8
    assert np.mean([overlap(mask, truth).iou for mask in masks]) > 0.85


def test_a_polygon_of_few_corners_stays_within_its_tolerance_and_keeps_a_hole() -> None:
    ring = disc(40) & ~disc(15)
    near = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (11, 11))
    for mask in made("polygon", ring):
        assert not mask[80, 100]
        assert (cv2.dilate(ring.astype(np.uint8), near) >= mask).all()
        assert (cv2.erode(ring.astype(np.uint8), near) <= mask).all()


def test_clicks_are_off_to_both_sides() -> None:
    square = np.zeros(FRAME, bool)
    square[60:110, 70:140] = True
    masks = made("clicks", square)
    assert all((mask & ~square).any() or (square & ~mask).any() for mask in masks)
    assert np.mean([(mask & ~square).any() for mask in masks]) > 0.8
    assert np.mean([(square & ~mask).any() for mask in masks]) > 0.8


def test_a_wrong_box_cuts_truly_and_straight() -> None:
    truth = disc(40)
    lost = 0
    for mask in made("wrong-box", truth):
        x0, y0, x1, y1 = makers._tight(mask)
        cut = {"left": x0 - 60, "top": y0 - 40, "right": 141 - x1, "bottom": 121 - y1}
        assert max(cut.values()) >= 1  # 2 % of 81 px and more of at least one side, the base mask's error aside
        outside = truth.copy()
        outside[y0:y1, x0:x1] = False
        lost += int(outside.sum())
    assert lost / 40 > 0.03 * truth.sum()


def test_nothing_is_left_beyond_the_wrong_box_of_a_square() -> None:
    square = np.zeros((60, 60), bool)
    square[10:50, 10:50] = True
    for mask in made("wrong-box", square):
        x0, y0, x1, y1 = makers._tight(mask)
        assert min(x1 - x0, y1 - y0) < 40
        assert (x0, y0) >= (8, 8)


def test_thin_parts_go_and_the_body_stays() -> None:
    truth = np.zeros(FRAME, bool)
    truth[40:120, 60:120] = True
    truth[78:82, 120:170] = True  # an arm of four pixels
    masks = made("thin-parts-missing", truth)
    assert all((mask <= truth).all() for mask in masks)
    assert all(mask[50:110, 70:110].all() for mask in masks)
    assert np.mean([not mask[80, 160] for mask in masks]) > 0.6


def test_thin_parts_of_a_compact_object_and_of_a_line() -> None:
    square, line = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    square[10:30, 10:30] = line[20, 5:35] = True
    assert all(np.array_equal(mask, line) for mask in made("thin-parts-missing", line))
    assert all(overlap(mask, square).iou > 0.9 for mask in made("thin-parts-missing", square))


def test_brush_strokes_are_rough_and_lie_about_the_object() -> None:
    ious = [overlap(mask, disc(40)).iou for mask in made("brush-strokes", disc(40))]
    assert 0.5 < np.mean(ious) < 0.95


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.name)
def test_masks_mean_their_object_and_equal_seeds_give_equal_masks(maker: Maker) -> None:
    truth = BoxMask.from_frame(disc(40))
    masks = [coarse_mask(truth, np.random.default_rng(seed), maker) for seed in range(20)]
    assert all(mask.frame == FRAME and mask.pixels.dtype == bool for mask in masks)
    assert np.median([overlap(mask, truth).iou for mask in masks]) > 0.6
    assert all(coarse_mask(truth, np.random.default_rng(seed), maker).equals(mask) for seed, mask in enumerate(masks))
    assert not all(mask.equals(masks[0]) for mask in masks) or maker.name == "thin-parts-missing"


def whole(frame: np.ndarray) -> None:
    frame[:] = True


def corner(frame: np.ndarray) -> None:
    frame[0, 0] = True


def edge(frame: np.ndarray) -> None:
    frame[-1, 50:53] = True


@pytest.mark.parametrize("fill", [whole, corner, edge])
@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.name)
def test_tiny_objects_and_one_that_fills_its_frame_are_survived(
    maker: Maker, fill: Callable[[np.ndarray], None]
) -> None:
    frame = np.zeros((60, 80), bool)
    fill(frame)
    for seed in range(10):
        x0, y0, x1, y1 = coarse_mask(BoxMask.from_frame(frame), np.random.default_rng(seed), maker).box
        assert 0 <= x0 <= x1 <= 80
        assert 0 <= y0 <= y1 <= 60


def test_makers_are_drawn_by_their_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = {"perfect": 0, "rare": 0, "often": 0}

    def counting(name: str) -> makers.Make:
        def make(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
            calls[name] += 1
            return mask

        return make

    monkeypatch.setattr(makers, "MAKERS", tuple(Maker(name, 0.0, counting(name)) for name in calls))
    monkeypatch.setattr(makers, "SHARES", np.array([0.2, 0.8]))
    rng = np.random.default_rng(0)
    for _ in range(400):
        coarse_mask(BoxMask.from_frame(disc(5)), rng, perfect_share=0.5)
    assert 160 < calls["perfect"] < 240
    assert 20 < calls["rare"] < 60
