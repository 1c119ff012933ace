"""A row is all that a channel, a scheme or a budget signal needs."""

from __future__ import annotations

import numpy as np
import pytest

import bpr
from bpr.geometry.budget import SIGNALS
from bpr.geometry.channels import CHANNELS, Channel
from bpr.geometry.masks import BoxMask
from bpr.geometry.options import PatchSpec, RefineOptions
from bpr.geometry.patches import crop_patches
from bpr.geometry.placement import SCHEMES, Scheme
from bpr.refinement.predictor import IdentityPredictor
from bpr.refinement.refiner import Refiner

FRAME = (60, 80)


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*FRAME, 3), np.uint8)


@pytest.fixture
def mask() -> BoxMask:
    return BoxMask(np.ones((30, 40), bool), 20, 15, FRAME)


def test_a_new_channel_is_cut_as_its_row_says(monkeypatch: pytest.MonkeyPatch, image: np.ndarray, mask: BoxMask) -> None:
    red_and_blue = Channel(lambda part: part.colours[..., ::2], (128, 128), (64, 64))
    monkeypatch.setitem(CHANNELS, "red and blue", red_and_blue)
    spec = PatchSpec(side=16, padding=4, inputs=("rgb", "red and blue", "mask"))
    assert (spec.channels, spec.channel_of("mask")) == (6, 5)
    for size in (16, 24):  # as cut, and resized
        patches = crop_patches(image, mask, np.array([[12, 10, 12 + size, 10 + size]]), spec)
        assert np.array_equal(patches[..., 3:5], patches[..., :3:2])
        assert set(np.unique(patches[..., 5])) == {0, 255}
    masks = mask.to_frame()[None]
    assert np.array_equal(Refiner(IdentityPredictor(spec))(image, masks), masks)


@pytest.mark.parametrize(
    "draw", [lambda part: part.colours, lambda part: part.coarse, lambda part: part.colours[:-1, :, 0]]
)
def test_a_channel_that_breaks_its_promise_is_named(
    monkeypatch: pytest.MonkeyPatch, image: np.ndarray, mask: BoxMask, draw: object
) -> None:
    monkeypatch.setitem(CHANNELS, "broken", Channel(draw, (128,), (64,)))
    with pytest.raises(ValueError, match=r"channel broken: expected \(16, 16, 1\) uint8, got"):
        crop_patches(image, mask, np.array([[12, 10, 28, 26]]), PatchSpec(side=16, inputs=("rgb", "broken")))


def test_a_new_scheme_is_a_row(monkeypatch: pytest.MonkeyPatch, image: np.ndarray, mask: BoxMask) -> None:
    def corner(mask: BoxMask, side: int, nms_iou: float, cover_margin: int) -> np.ndarray:
        return np.array([[0, 0, side, side]], np.int32)

    monkeypatch.setitem(SCHEMES, "corner", Scheme(corner, "the corner alone"))
    found = bpr.load("identity", scheme="corner")(image, mask.to_frame()[None], return_patches=True)
    assert found.patches[0].boxes.tolist() == [[0, 0, 64, 64]]
    from bpr.cli.main import main

    with pytest.raises(SystemExit) as ended:
        main(["refine", "x.json", "--out", "y.json", "--scheme", "nowhere"])
    assert ended.value.code == 2


def test_a_new_budget_signal_is_a_row(monkeypatch: pytest.MonkeyPatch, image: np.ndarray, mask: BoxMask) -> None:
    def to_the_right(image: np.ndarray, mask: BoxMask, area: tuple[int, int, int, int]) -> np.ndarray:
        x0, y0, x1, y1 = area
        return np.tile(np.arange(x0, x1, dtype=np.float32) ** 4, (y1 - y0, 1))

    monkeypatch.setitem(SIGNALS, "right", to_the_right)
    refiner = Refiner(IdentityPredictor(PatchSpec(side=16)), RefineOptions(max_patches=1, signal="right"))
    every = Refiner(IdentityPredictor(PatchSpec(side=16)))
    masks = mask.to_frame()[None]
    (chosen,) = refiner(image, masks, return_patches=True).patches[0].boxes
    assert chosen[0] == max(every(image, masks, return_patches=True).patches[0].boxes[:, 0])
