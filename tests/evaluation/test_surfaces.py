"""Distances of surfaces, parts and holes, and the weighted F-measure: by hand, and against scipy's distance transform."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bpr.evaluation.surfaces import SurfaceFit, count_holes, count_parts, surface_fit, weighted_f
from bpr.geometry.masks import BoxMask

FRAME = (30, 40)
DIAGONAL = math.hypot(*FRAME)


def rectangle(left: int, top: int, width: int, height: int) -> np.ndarray:
    mask = np.zeros(FRAME, bool)
    mask[top : top + height, left : left + width] = True
    return mask


EMPTY, FULL, PIXEL = rectangle(0, 0, 0, 0), np.ones(FRAME, bool), rectangle(7, 5, 1, 1)
DEGENERATE = {
    "both empty": (EMPTY, EMPTY, SurfaceFit(1, 0, 0), 1),
    "nothing found": (EMPTY, PIXEL, SurfaceFit(0, DIAGONAL, DIAGONAL), 0),
    "nothing to find": (PIXEL, EMPTY, SurfaceFit(0, DIAGONAL, DIAGONAL), 0),
    "the whole frame": (FULL, FULL, SurfaceFit(1, 0, 0), 1),
    "one pixel": (PIXEL, PIXEL, SurfaceFit(1, 0, 0), 1),
    "two pixels that differ": (rectangle(10, 9, 1, 1), PIXEL, SurfaceFit(0, 5, 5), 0),
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_masks(name: str) -> None:
    predicted, truth, fit, f = DEGENERATE[name]
    assert surface_fit(predicted, truth) == fit
    assert weighted_f(predicted, truth) == pytest.approx(f)


def test_surfaces_by_hand() -> None:
    # The truth is 4x1 pixels, all of them surface; 3 columns to the right, of 4 pixels of either one lies on the other
    # and three are 1, 2, 3 px away. The 95th percentile of 0 1 2 3 lies .85 of the way from 2 to 3.
    fit = surface_fit(rectangle(8, 5, 4, 1), rectangle(5, 5, 4, 1))
    assert (fit.nsd, fit.hd95, fit.assd) == (0.75, pytest.approx(2.85), 1.5)


def test_a_mask_and_its_box_have_one_surface() -> None:
    mask = rectangle(5, 5, 12, 9)
    loose = BoxMask(mask[2:20, 1:30], 1, 2, FRAME)
    assert surface_fit(loose, rectangle(6, 5, 12, 9)) == surface_fit(mask, rectangle(6, 5, 12, 9))
    assert weighted_f(loose, rectangle(6, 5, 12, 9)) == weighted_f(mask, rectangle(6, 5, 12, 9))


def test_parts_and_holes() -> None:
    assert [count_parts(mask) for mask in (EMPTY, FULL, PIXEL, PIXEL | rectangle(8, 6, 1, 1))] == [0, 1, 1, 1]
    assert count_parts(PIXEL | rectangle(9, 5, 1, 1)) == 2
    ring = FULL & ~rectangle(3, 3, 4, 4) & ~rectangle(7, 7, 4, 4)  # two holes that touch at a corner
    assert [count_holes(mask) for mask in (EMPTY, FULL, PIXEL, ring)] == [0, 0, 0, 2]
    assert count_holes(FULL & ~rectangle(0, 10, 4, 4)) == 0  # open towards the edge of the frame


def test_weighted_f_by_hand() -> None:
    # One false pixel 5 px from a truth of 6x6 that was found: weight 2 - 1 / 2. Precision 36 / 37.5, recall 1.
    truth = rectangle(5, 5, 6, 6)
    found = truth | rectangle(15, 8, 1, 1)
    precision = 36 / 37.5
    assert weighted_f(found, truth) == pytest.approx(2 * precision / (1 + precision))


def test_random_masks_agree_with_scipy() -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    random, cross = np.random.default_rng(0), ndimage.generate_binary_structure(2, 1)
    steps = np.arange(-3, 4)
    kernel = np.exp(-(steps[:, None] ** 2 + steps**2) / 50)
    for _ in range(20):
        truth = ndimage.gaussian_filter(random.standard_normal((60, 80)), 5) > random.uniform(-0.02, 0.05)
        found = np.roll(truth, random.integers(-3, 4), 1) ^ (random.random(truth.shape) > 0.995)
        surfaces = [mask & ~ndimage.binary_erosion(mask, cross) for mask in (found, truth)]
        to_truth, to_found = (
            ndimage.distance_transform_edt(~surfaces[1])[surfaces[0]],
            ndimage.distance_transform_edt(~surfaces[0])[surfaces[1]],
        )
        both = np.concatenate([to_truth, to_found])
        fit = surface_fit(found, truth)
        assert fit.assd == pytest.approx(both.mean())
        assert fit.hd95 == pytest.approx(max(np.percentile(to_truth, 95), np.percentile(to_found, 95)))
        assert fit.nsd == np.mean(both <= 2)

        distance, nearest = ndimage.distance_transform_edt(~truth, return_indices=True)
        errors = (found != truth).astype(float)
        smooth = ndimage.correlate(np.where(truth, errors, errors[tuple(nearest)]), kernel / kernel.sum(), mode="constant")
        weighted = np.where(truth, np.minimum(errors, smooth), errors * (2 - 0.5 ** (distance / 5)))
        hits, recall = truth.sum() - weighted[truth].sum(), 1 - weighted[truth].mean()
        precision = hits / (hits + weighted[~truth].sum())
        # Where two pixels of the truth are equally near, either may lend its error.
        assert weighted_f(found, truth) == pytest.approx(2 * precision * recall / (precision + recall), abs=2e-3)
