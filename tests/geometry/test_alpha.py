"""Alpha agrees with the mask bit for bit, keeps what is certain, and becomes a trimap."""

from __future__ import annotations

import numpy as np
import pytest

from bpr.geometry.alpha import UNKNOWN, soft_edges, trimap_of
from bpr.geometry.masks import BoxMask
from bpr.geometry.options import LEANINGS, Leaning, PatchSpec
from bpr.geometry.reassembly import Blended

COARSE = np.zeros((24, 24), bool)
COARSE[6:18, 6:18] = True


def blended(probabilities: np.ndarray) -> Blended:
    boxes = np.array([[2, 2, 18, 18], [6, 6, 22, 22]])
    return Blended.of(BoxMask.from_frame(COARSE), boxes, probabilities.astype(np.float32), PatchSpec(side=16), "mean")


@pytest.mark.parametrize("leaning", LEANINGS)
def test_alpha_above_half_is_the_mask(leaning: Leaning) -> None:
    random = np.random.default_rng(0)
    tenths = random.integers(0, 11, (2, 16, 16)) / 10  # on the leanings' own steps, too
    for probabilities in (random.random((2, 16, 16)), tenths, np.zeros((2, 16, 16)), np.ones((2, 16, 16))):
        found = blended(probabilities)
        mask = found.refined(leaning)
        alpha = soft_edges(found, leaning, mask)
        assert np.array_equal(alpha > 127, mask.to_frame())


def test_alpha_without_a_leaning_is_the_mean_probability() -> None:
    found = blended(np.stack([np.full((16, 16), 0.25), np.full((16, 16), 0.85)]))
    alpha = soft_edges(found, (0.0, 0.0), found.refined())
    # One patch alone: .25 and .85; both: .55. Where no patch lies, the coarse mask.
    assert [int(alpha[3, 3]), int(alpha[20, 20]), int(alpha[10, 10]), int(alpha[0, 0])] == [64, 217, 140, 0]
    nearly = blended(np.full((2, 16, 16), 0.01))
    assert not soft_edges(nearly, (0.0, 0.0), BoxMask.empty((24, 24)))[:18, :18].any()


def test_a_leaning_shifts_odds_and_leaves_certain_pixels_alone() -> None:
    values = np.zeros((2, 16, 16))
    values[:, :, 8:] = 1
    values[:, 8] = 0.6
    found = blended(values)
    mask = found.refined((-0.2, 0.2))  # outside of the coarse mask a pixel is foreground from .3 on
    alpha = soft_edges(found, (-0.2, 0.2), mask)
    assert set(alpha[3].tolist()) == {0, 255}  # no haze where the network is certain
    # Odds of .6 are 1.5; at .3 they are 3 / 7: 3.5, which is .778.
    assert alpha[10, 3] == round(255 * 3.5 / 4.5)


def test_a_kept_mask_and_what_others_took_are_hard() -> None:
    found = blended(np.full((2, 16, 16), 0.75))
    kept = soft_edges(found, None, found.mask)
    assert np.array_equal(kept, COARSE * np.uint8(255))
    smaller = found.refined().to_frame()
    smaller[:, :8] = False
    alpha = soft_edges(found, (0.0, 0.0), BoxMask.from_frame(smaller))
    assert (alpha[:, :8].max(), alpha[10, 10]) == (0, 191)


def test_degenerate_alphas() -> None:
    empty = BoxMask.empty((8, 9))
    nothing = Blended.of(empty, np.empty((0, 4), np.int32), np.empty((0, 16, 16), np.float32), PatchSpec(side=16), "mean")
    assert not soft_edges(nothing, (0.0, 0.0), empty).any()
    full = np.full((8, 9), 255, np.uint8)
    assert np.array_equal(trimap_of(full), full)
    assert not trimap_of(full * 0).any()
    pixel = np.zeros((7, 7), np.uint8)
    pixel[3, 3] = 255
    assert np.array_equal(trimap_of(pixel)[3], [0, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, 0])
