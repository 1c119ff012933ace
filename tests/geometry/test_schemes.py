"""Grid and instance patches, by hand and against plain references."""

from __future__ import annotations

import tracemalloc
from typing import get_args

import cv2
import numpy as np
import pytest

from bpr.geometry.masks import BoxMask
from bpr.geometry.options import Blend, PatchSpec, RefineOptions
from bpr.geometry.patches import crop_patches, crop_window
from bpr.geometry.placement import grid_boxes, instance_boxes
from bpr.geometry.reassembly import Blended
from bpr.geometry.resizing import interpolate, sample_colours, sample_mask

SPEC, OPTIONS = PatchSpec(side=16), RefineOptions()


def rectangle(frame: tuple[int, int], x0: int, y0: int, x1: int, y1: int) -> BoxMask:
    return BoxMask(np.ones((y1 - y0, x1 - x0), bool), x0, y0, frame)


def blobs(seed: int, frame: tuple[int, int]) -> BoxMask:
    noise = cv2.GaussianBlur(np.random.default_rng(seed).standard_normal(frame), (0, 0), 6)
    return BoxMask.from_frame(noise > 0.02)


@pytest.mark.parametrize("frame", [(64, 80), (70, 90), (10, 90), (12, 9), (16, 16)])
@pytest.mark.parametrize("seed", range(4))
def test_grid_cells_hold_foreground_and_background(frame: tuple[int, int], seed: int) -> None:
    mask = blobs(seed, frame)
    rows = sorted({min(y, max(frame[0] - 16, 0)) for y in range(0, frame[0], 16)})
    columns = sorted({min(x, max(frame[1] - 16, 0)) for x in range(0, frame[1], 16)})
    pixels = mask.to_frame()
    expected = [[x, y, x + 16, y + 16] for y in rows for x in columns if len(np.unique(pixels[y : y + 16, x : x + 16])) == 2]
    assert grid_boxes(mask, 16, 0.25, 4).tolist() == expected


def test_the_last_cells_are_shifted_inside() -> None:
    # 40 columns: cells start at 0, 16 and 24 (32 would end at 48); 20 rows: at 0 and 4.
    expected = [[16, 0, 32, 16], [24, 0, 40, 16], [16, 4, 32, 20], [24, 4, 40, 20]]
    assert grid_boxes(rectangle((20, 40), 30, 10, 38, 18), 16, 0.25, 4).tolist() == expected


def test_a_boundary_between_two_cells_lies_in_neither() -> None:
    assert grid_boxes(rectangle((32, 32), 0, 0, 16, 32), 16, 0.25, 4).shape == (0, 4)


@pytest.mark.parametrize("propose", [grid_boxes, instance_boxes])
def test_no_boundary_no_patches(propose: type) -> None:
    for mask in (BoxMask.from_frame(np.zeros((40, 40), bool)), BoxMask.from_frame(np.ones((40, 40), bool))):
        boxes = propose(mask, 16, 0.25, 4)
        assert boxes.shape == (0, 4)
        assert boxes.dtype == np.int32


def test_an_instance_gets_one_square_with_a_tenth_more_on_every_side() -> None:
    # 40 x 20 at (50, 30): the longer side and two tenths are 48, around the centre (70, 40).
    assert instance_boxes(rectangle((200, 200), 50, 30, 90, 50), 16, 0.25, 4).tolist() == [[46, 16, 94, 64]]


def test_a_square_is_shifted_inside_and_may_be_larger_than_the_frame() -> None:
    assert instance_boxes(rectangle((200, 200), 160, 0, 200, 20), 16, 0.25, 4).tolist() == [[152, 0, 200, 48]]
    assert instance_boxes(rectangle((30, 200), 50, 5, 150, 25), 16, 0.25, 4).tolist() == [[40, 0, 160, 120]]


def test_one_pixel_gets_the_smallest_square() -> None:
    assert instance_boxes(rectangle((50, 50), 20, 20, 21, 21), 16, 0.25, 4).tolist() == [[16, 16, 24, 24]]


@pytest.mark.parametrize("box", [(0, 0, 40, 40), (-8, -8, 56, 56), (10, 4, 26, 20), (7, 3, 12, 8)])
def test_sampling_agrees_with_opencv(box: tuple[int, int, int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    mask = blobs(1, (40, 40))
    x0, y0, x1, y1 = (value + 20 for value in box)
    padded = np.pad(image, ((20, 20), (20, 20), (0, 0)), mode="edge")[y0:y1, x0:x1]
    expected = cv2.resize(padded.astype(np.float32), (16, 16), interpolation=cv2.INTER_LINEAR)
    # OpenCV knows nothing beyond the crop, which shows in its outermost two pixels where the crop is enlarged.
    assert np.abs(sample_colours(image, box, 16) - expected)[2:-2, 2:-2].max() <= 0.51
    coarse = np.pad(mask.to_frame(), 20, mode="edge")[y0:y1, x0:x1].astype(np.uint8)
    assert np.array_equal(sample_mask(mask, box, 16), cv2.resize(coarse, (16, 16), interpolation=cv2.INTER_NEAREST_EXACT) > 0)


def test_interpolation_agrees_with_opencv() -> None:
    cells = np.random.default_rng(0).random((16, 16), np.float32)
    whole = cv2.resize(cells, (50, 50), interpolation=cv2.INTER_LINEAR)
    assert np.abs(interpolate(cells, (-5, -5, 45, 45), (0, 0, 40, 30)) - whole[5:35, 5:45]).max() < 1e-5


@pytest.mark.parametrize("padding", [0, 4])
@pytest.mark.parametrize("frame", [(120, 160), (30, 200), (12, 9)])
def test_believing_a_resized_patch_changes_nothing(frame: tuple[int, int], padding: int) -> None:
    mask, spec = blobs(5, frame), PatchSpec(side=16, padding=padding)
    boxes = instance_boxes(mask, 16, 0.25, 4)
    patches = crop_patches(np.zeros((*frame, 3), np.uint8), mask, boxes, spec)
    assert patches.shape[1:] == (spec.window, spec.window, 4)
    assert Blended.of(mask, boxes, (patches[..., 3] / 255).astype(np.float32), spec, "mean").refined().equals(mask)


def test_a_contradicted_place_takes_the_answer_and_the_rest_stays() -> None:
    # A patch of 16 cells over 64 px, 4 px a cell: the answer adds the cells left of the object, columns 4-7 = pixels 16-31.
    mask = rectangle((64, 64), 32, 0, 64, 64)
    seen = crop_window(mask, (0, 0, 64, 64), SPEC)
    answer = seen.astype(np.float32)
    answer[:, 4:8] = 1
    refined = Blended.of(mask, np.array([[0, 0, 64, 64]]), answer[None], SPEC, "mean").refined()
    assert np.array_equal(refined.to_frame(), rectangle((64, 64), 16, 0, 64, 64).to_frame())
    believed = Blended.of(mask, np.array([[0, 0, 64, 64]]), answer[None], SPEC, "mean").within((0, 0, 64, 64))
    assert np.array_equal(believed > 0.5, refined.to_frame())
    assert set(np.unique(believed[:, 40:])) == {1.0}


def test_a_mask_that_would_vanish_stays() -> None:
    mask = rectangle((64, 64), 20, 20, 40, 40)
    boxes, spec = np.array([[12, 12, 48, 48]]), PatchSpec(side=36)
    nothing = np.zeros((1, 36, 36), np.float32)
    assert Blended.of(mask, boxes, nothing, spec, "mean").refined().equals(mask)
    assert np.array_equal(Blended.of(mask, boxes, nothing, spec, "mean").within((0, 0, 64, 64)), mask.to_frame())


@pytest.mark.parametrize("box", [(0, 0, 64, 64), (10, 5, 30, 60), (0, 0, 5, 5), (60, 60, 64, 64)])
def test_the_probability_of_a_part_is_a_part_of_the_probability(box: tuple[int, int, int, int]) -> None:
    mask, spec = rectangle((64, 64), 20, 20, 40, 40), SPEC
    boxes, answers = np.array([[12, 12, 28, 28], [20, 16, 36, 32]]), np.random.default_rng(0).random((2, 16, 16), np.float32)
    whole = Blended.of(mask, boxes, answers, spec, "mean").within((0, 0, 64, 64))
    x0, y0, x1, y1 = box
    assert np.array_equal(Blended.of(mask, boxes, answers, spec, "mean").within(box), whole[y0:y1, x0:x1])


def test_a_wide_object_costs_no_square_of_memory() -> None:
    """The square around it has 36,000 x 36,000 pixels, of which 40 x 30,000 lie in the frame."""
    mask, image = rectangle((40, 30_000), 100, 10, 29_900, 30), np.zeros((40, 30_000, 3), np.uint8)
    tracemalloc.start()
    boxes = instance_boxes(mask, 16, 0.25, 4)
    patches = crop_patches(image, mask, boxes, SPEC)
    for blend in get_args(Blend):
        refined = Blended.of(mask, boxes, np.zeros((1, 16, 16), np.float32), SPEC, blend).refined()
        assert refined.frame == mask.frame
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert patches.shape == (1, 16, 16, 4)
    assert most < 100 * mask.frame[0] * mask.frame[1]
