"""A budget goes where the boundary looks worst, not twice to one place, in one order."""

from __future__ import annotations

import numpy as np
import pytest

from bpr.geometry.budget import choose_patches, off_edge, select_boxes
from bpr.geometry.masks import BoxMask
from bpr.geometry.options import PatchSpec, RefineOptions
from bpr.geometry.patches import patch_boxes

FRAME, SPEC = (120, 160), PatchSpec(side=32)


def selected(image: np.ndarray, masks: list, scores: list, boxes: list, options: RefineOptions) -> list[np.ndarray]:
    return select_boxes(image, masks, scores, boxes, options.budget(sum(map(len, boxes))), options.signal)


def rectangle(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros(FRAME, bool)
    mask[y0:y1, x0:x1] = True
    return mask


def painted(mask: np.ndarray) -> np.ndarray:
    return np.where(mask[..., None], np.uint8(200), np.uint8(40)).repeat(3, axis=2)


def test_the_side_that_lies_off_its_edge_is_refined() -> None:
    truth = rectangle(30, 20, 130, 100)
    coarse = BoxMask.from_frame(truth | rectangle(30, 20, 138, 100))
    options = RefineOptions(max_patches=4)
    (chosen,) = selected(painted(truth), [coarse], [1.0], [patch_boxes(coarse, SPEC, options)], options)
    assert len(chosen) == 4
    assert all(x0 < 138 < x1 for x0, _, x1, _ in chosen.tolist())


def test_long_and_short_boundaries_have_as_much_signal() -> None:
    small, large = BoxMask.from_frame(rectangle(10, 10, 20, 20)), BoxMask.from_frame(rectangle(40, 20, 140, 100))
    flat = np.zeros((*FRAME, 3), np.uint8)
    assert [off_edge(flat, mask, (0, 0, 160, 120)).sum() for mask in (small, large)] == pytest.approx([1, 1], abs=1e-5)


def test_a_mask_without_a_boundary_has_no_signal_and_no_patches() -> None:
    full, square = BoxMask.from_frame(np.ones(FRAME, bool)), BoxMask.from_frame(rectangle(10, 10, 90, 90))
    options = RefineOptions(keep=0.5)
    boxes = [patch_boxes(mask, SPEC, options) for mask in (full, square)]
    none, half = selected(np.zeros((*FRAME, 3), np.uint8), [full, square], [1.0, 1.0], boxes, options)
    assert (len(none), len(half)) == (0, -(-len(boxes[1]) // 2))


def test_of_two_equal_masks_the_likelier_object_has_the_budget() -> None:
    masks = [BoxMask.from_frame(rectangle(x, 20, x + 40, 60)) for x in (10, 90)]
    options = RefineOptions(max_patches=1)
    boxes = [patch_boxes(mask, SPEC, options) for mask in masks]
    for scores in ([0.9, 0.2], [0.2, 0.9]):
        kept = selected(np.zeros((*FRAME, 3), np.uint8), masks, scores, boxes, options)
        assert [len(own) for own in kept] == [round(score) for score in scores]


@pytest.mark.parametrize("budget", [1, 2, 3, 5, 6])
def test_the_budget_is_spent_to_the_last_patch(budget: int) -> None:
    signals = [np.random.default_rng(seed).random((20, 20), np.float32) for seed in range(2)]
    boxes = [np.array([[0, 0, 10, 10], [5, 5, 15, 15], [10, 10, 20, 20]])] * 2
    kept = choose_patches(signals, [(0, 0, 20, 20)] * 2, boxes, budget)
    assert sum(own.sum() for own in kept) == budget


def test_of_equals_the_first_is_taken() -> None:
    signals, boxes = [np.ones((4, 12), np.float32)] * 2, [np.array([[0, 0, 4, 4], [4, 0, 8, 4], [8, 0, 12, 4]])] * 2
    kept = choose_patches(signals, [(0, 0, 12, 4)] * 2, boxes, 4)
    assert [own.tolist() for own in kept] == [[True, True, True], [True, False, False]]


def plain_choice(signals: list, boxes: list, budget: int) -> list[list[bool]]:
    """Patch by patch, with the sum of every patch counted anew each time."""
    signals, chosen = [signal.copy() for signal in signals], [[False] * len(those) for those in boxes]
    for _ in range(budget):
        open_ones = [(i, k) for i, those in enumerate(boxes) for k in range(len(those)) if not chosen[i][k]]
        views = {(i, k): signals[i][y0:y1, x0:x1] for i, k in open_ones for x0, y0, x1, y1 in [boxes[i][k].tolist()]}
        best = max(open_ones, key=lambda one: views[one].sum(dtype=np.float64))  # of equals the first
        views[best] *= np.float32(0.1)
        chosen[best[0]][best[1]] = True
    return chosen


@pytest.mark.parametrize("seed", range(5))
def test_the_choice_is_that_of_plain_steps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    signals = [(rng.random((60, 60)) > 0.9).astype(np.float32) for _ in range(3)]
    corners = [rng.integers(0, 44, (count, 2)) for count in (14, 0, 9)]
    boxes = [np.concatenate([own, own + 16], axis=1) for own in corners]
    for budget in (1, 8, 17, 22):
        kept = choose_patches(signals, [(0, 0, 60, 60)] * 3, boxes, budget)
        assert [own.tolist() for own in kept] == plain_choice(signals, boxes, budget)


def test_an_overlap_is_worth_less() -> None:
    signal = np.zeros((1, 12), np.float32)
    signal[0, 2:6], signal[0, 8:] = 2, 1
    boxes = [np.array([[0, 0, 6, 1], [1, 0, 7, 1], [6, 0, 12, 1]])]
    places = [(0, 0, 12, 1)]
    assert choose_patches([signal], places, boxes, 2)[0].tolist() == [True, False, True]
    assert signal.sum() == 12, "the caller's map is not used up"


def test_the_place_of_the_instance_in_the_frame_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    signal, boxes = rng.random((40, 40), np.float32), rng.integers(0, 30, (9, 2)).repeat(2, axis=0).reshape(9, 4)[:, [0, 2, 0, 2]]
    boxes[:, 2:] += 10
    here, there = (choose_patches([signal], [(shift, shift, shift + 40, shift + 40)], [boxes + shift], 4)[0] for shift in (0, 33))
    assert np.array_equal(here, there)


def test_all_patches_stay_as_they_are() -> None:
    mask = BoxMask.from_frame(rectangle(10, 10, 90, 90))
    boxes = patch_boxes(mask, SPEC, RefineOptions())
    for options in (RefineOptions(), RefineOptions(max_patches=len(boxes))):
        assert np.array_equal(selected(np.zeros((*FRAME, 3), np.uint8), [mask], [1.0], [boxes], options)[0], boxes)


def test_patches_larger_than_the_frame() -> None:
    frame = (20, 24)
    mask = np.zeros(frame, bool)
    mask[5:15, 4:20] = True
    coarse, options = BoxMask.from_frame(mask), RefineOptions(max_patches=1)
    boxes = np.array([[0, 0, 64, 64], [0, 0, 64, 64]], np.int32)
    assert len(selected(np.zeros((*frame, 3), np.uint8), [coarse], [1.0], [boxes], options)[0]) == 1
