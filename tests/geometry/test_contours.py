"""Rings along the pixels' edges, and rings of few vertices near them."""

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from bpr.geometry import contours
from bpr.geometry.contours import LEAST_IOU, joined, rings_of
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, encode_mask

FRAME = (400, 500)


def parts_of(mask: BoxMask, tolerance: float | None = None) -> list[np.ndarray]:
    return [joined(rings) for rings in rings_of(mask, tolerance)]


def outline_of(mask: BoxMask, tolerance: float | None = None) -> np.ndarray:
    return joined(parts_of(mask, tolerance))


def filled(parts: list[np.ndarray], frame: tuple[int, int]) -> BoxMask:
    return decode_mask([part.ravel().tolist() for part in parts], frame)


def iou(one: BoxMask, other: BoxMask) -> float:
    return float(coco_mask.iou([encode_mask(one)], [encode_mask(other)], [0])[0, 0])


def blobs(seed: int, side: int = 40) -> BoxMask:
    """Smoothed noise: parts, holes, parts in holes, specks, pixels that touch at a corner."""
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.random((side, side + 10), np.float32), (0, 0), rng.uniform(0.6, 4))
    return BoxMask.from_frame(noise > np.median(noise))


def star(corners: int, radius: float, seed: int) -> np.ndarray:
    """(corners, 2) vertices of a polygon around the middle of the frame."""
    rng = np.random.default_rng(seed)
    angles = 2 * np.pi * (np.arange(corners) + rng.uniform(-0.3, 0.3, corners)) / corners
    reach = radius * rng.uniform(0.7, 1, corners)
    return np.stack([250 + reach * np.cos(angles), 200 + reach * np.sin(angles)], axis=1)


def test_an_empty_mask_has_no_outline() -> None:
    empty = BoxMask.from_frame(np.zeros((3, 4), bool))
    assert (parts_of(empty), outline_of(empty).shape) == ([], (0, 2))


@pytest.mark.parametrize("tolerance", [None, 0, 1, 50])
def test_one_pixel_is_a_square(tolerance: float | None) -> None:
    assert outline_of(BoxMask.from_frame(np.eye(1, 3, 2)), tolerance).tolist() == [[2, 0], [2, 1], [3, 1], [3, 0]]


@pytest.mark.parametrize("seed", range(20))
def test_parts_and_holes_fill_to_the_very_mask(seed: int) -> None:
    mask = blobs(seed)
    assert filled(parts_of(mask, 0), mask.frame).equals(mask)
    assert filled([outline_of(mask, 0)], mask.frame).equals(mask)


def test_a_part_is_a_ring_and_a_hole_is_not() -> None:
    pixels = np.zeros((60, 90), bool)
    pixels[10:50, 10:40], pixels[20:40, 20:30], pixels[25:35, 22:28], pixels[10:20, 60:80] = True, False, True, True
    mask = BoxMask.from_frame(pixels)
    for tolerance in (0, None):
        parts = parts_of(mask, tolerance)
        assert sorted(map(len, parts)) == [4, 4, 10]  # a part in a hole, a part, a part with a bridge to its hole
        assert filled(parts, mask.frame).equals(mask)


@pytest.mark.parametrize("seed", range(6))
def test_the_default_never_leaves_more_than_the_limit(seed: int) -> None:
    for mask in (blobs(seed), blobs(seed, 200)):
        parts = parts_of(mask)
        assert iou(filled(parts, mask.frame), mask) >= LEAST_IOU
        assert iou(filled([outline_of(mask)], mask.frame), mask) >= LEAST_IOU
        assert sum(map(len, parts)) <= sum(map(len, parts_of(mask, 0)))


@pytest.mark.parametrize("corners", [4, 5, 6, 9])
@pytest.mark.parametrize("seed", range(4))
def test_a_polygon_that_was_rasterised_is_found_again(corners: int, seed: int) -> None:
    """Few vertices more than a person drew, where the pixels' edges have hundreds, and sides through the person's."""
    drawn = star(corners, 150, seed)
    mask = filled([drawn], FRAME)
    (found,) = parts_of(mask)
    assert len(found) <= 2 * corners
    assert len(outline_of(mask, 0)) > 10 * corners
    for x, y in drawn.tolist():
        assert abs(cv2.pointPolygonTest(found.astype(np.float32), (x, y), measureDist=True)) < 1


def test_a_box_keeps_its_four_corners() -> None:
    mask = filled([np.array([[30.0, 40], [130, 40], [130, 90], [30, 90]])], FRAME)
    (found,) = parts_of(mask)
    assert sorted(found.tolist()) == [[30, 40], [30, 90], [130, 40], [130, 90]]


def test_vertices_stay_in_the_frame_and_have_two_decimals() -> None:
    mask = BoxMask.from_frame(cv2.circle(np.zeros((80, 100), np.uint8), (95, 75), 40, 1, -1))
    for part in parts_of(mask):
        assert (part >= 0).all()
        assert (part <= (100, 80)).all()
        assert np.allclose(part, part.round(2))


@pytest.mark.parametrize("tolerance", [0.5, 2, 5, 40])
def test_a_tolerance_of_ones_own_is_kept_while_half_of_the_mask_remains(tolerance: float) -> None:
    mask = filled([star(30, 120, 3)], FRAME)
    parts = parts_of(mask, tolerance)
    assert iou(filled(parts, FRAME), mask) >= 0.5
    if tolerance > 1:
        assert sum(map(len, parts)) < sum(map(len, parts_of(mask, 0.5)))


def test_the_nearest_vertices_do_not_depend_on_how_many_are_compared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = blobs(1, 100)
    whole = outline_of(mask, 0)
    monkeypatch.setattr(contours, "MOST_DISTANCES", 7)
    assert np.array_equal(outline_of(mask, 0), whole)
