"""One call, many calls, many threads: the same bits, and what the network said beside them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import bpr
from bpr.backends import load_predictor
from bpr.errors import BPRError
from bpr.geometry.scheme import KINDS
from bpr.refinement.predictor import IdentityPredictor, PatchBatch
from bpr.refinement.refiner import Refiner
from bpr.scenes import coarse_masks, paint_scene

Pair = tuple[np.ndarray, np.ndarray]


class Constant(IdentityPredictor):
    """Believes the mask three quarters."""

    def predict(self, batch: PatchBatch) -> np.ndarray:
        return super().predict(batch) / 2 + np.float32(0.25)


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    scenes = [paint_scene(seed, (150, 200)) for seed in range(3)]
    return [(scene.image, np.stack([mask.to_frame() for mask in coarse_masks(scene, "mask_head", 0)])) for scene in scenes]


def test_a_stream_gives_the_bits_of_single_calls(pairs: list[Pair]) -> None:
    refiner = bpr.load("starter")
    single = [refiner(*pair, return_probability=True) for pair in pairs]
    streamed = list(refiner.stream(pairs, return_probability=True))
    for one, other in zip(single, streamed, strict=True):
        assert np.array_equal(one.masks, other.masks)
        assert np.array_equal(one.probability, other.probability)


def test_threads_may_share_a_refiner(pairs: list[Pair]) -> None:
    refiner, many = bpr.load("starter"), [*pairs, *pairs]
    serial = [refiner(*pair) for pair in pairs] * 2
    with ThreadPoolExecutor(4) as pool:
        shared = list(pool.map(lambda pair: refiner(*pair), many))
    assert all(np.array_equal(a, b) for a, b in zip(serial, shared, strict=True))


def test_a_stream_draws_pairs_as_it_needs_them(pairs: list[Pair]) -> None:
    drawn: list[int] = []

    def endless() -> Iterator[Pair]:
        for index in itertools.count():
            drawn.append(index)
            yield pairs[index % len(pairs)]

    results = Refiner(IdentityPredictor(batch_size=8)).stream(endless())
    assert drawn == []
    for index in range(4):
        assert np.array_equal(next(results), pairs[index % len(pairs)][1])
    assert len(drawn) <= 6


def test_no_images() -> None:
    assert list(bpr.load("identity").stream([])) == []


def test_images_may_be_files(pairs: list[Pair], tmp_path: Path) -> None:
    image, masks = pairs[0]
    path = tmp_path / "scene.png"
    cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    for name in (path, str(path)):
        asked = bpr.load("identity")(name, masks, return_patches=True)
        assert np.array_equal(asked.patches[0].patches, bpr.load("identity")(image, masks, return_patches=True).patches[0].patches)


@pytest.mark.parametrize("kind", KINDS)
def test_the_probability_says_the_mask(pairs: list[Pair], kind: Any) -> None:
    rng = np.random.default_rng(0)

    class Random(IdentityPredictor):
        def predict(self, batch: PatchBatch) -> np.ndarray:
            return rng.random(batch.patches.shape[:3], np.float32)

    refiner = Refiner(Random(load_predictor("identity", kind=kind, side=32).scheme))
    asked = refiner(*pairs[0], return_probability=True)
    assert asked.probability.dtype == np.float32
    assert asked.probability.shape == pairs[0][1].shape
    assert np.array_equal(asked.probability > 0.5, asked.masks)
    assert asked.patches is None


def test_the_probability_is_the_mean_of_the_patches(pairs: list[Pair]) -> None:
    image, masks = pairs[0]
    asked = Refiner(Constant())(image, masks, return_probability=True, return_patches=True)
    for mask, probability, patches in zip(masks, asked.probability, asked.patches, strict=True):
        covered = np.zeros(mask.shape, bool)
        for x0, y0, x1, y1 in patches.boxes:
            covered[y0:y1, x0:x1] = True
        assert np.array_equal(probability, np.where(covered, mask / 2 + 0.25, mask))


def test_the_patches_are_what_the_network_saw(pairs: list[Pair]) -> None:
    image, masks = pairs[0]
    asked = Refiner(IdentityPredictor())(image, masks, return_patches=True)
    assert asked.probability is None
    assert len(asked.patches) == len(masks)
    for mask, own in zip(masks, asked.patches, strict=True):
        assert len(own.boxes) == len(own.patches) == len(own.probabilities) > 0
        x0, y0, x1, y1 = own.boxes[0]
        assert np.array_equal(own.patches[0, ..., :3], image[y0:y1, x0:x1])
        assert np.array_equal(own.probabilities[0] > 0.5, mask[y0:y1, x0:x1])


@pytest.mark.parametrize("kind", KINDS)
def test_identity_changes_nothing_in_any_scheme(pairs: list[Pair], kind: Any) -> None:
    for image, masks in pairs:
        assert np.array_equal(bpr.load("identity", scheme=kind)(image, masks), masks)


@pytest.mark.parametrize("kind", KINDS)
def test_any_scheme_runs_with_any_model(pairs: list[Pair], kind: Any) -> None:
    image, masks = pairs[0]
    assert (bpr.load("starter", scheme=kind)(image, masks) != masks).any()


@pytest.mark.parametrize(("option", "value"), [("side", 32), ("padding", 8), ("inputs", ("rgb", "mask"))])
def test_what_a_model_was_trained_with_cannot_be_changed(option: str, value: Any) -> None:
    with pytest.raises(BPRError, match=rf"model starter: {option}: expected .*, with which the model was trained, got"):
        load_predictor("starter", **{option: value})
    trained = getattr(load_predictor("starter").scheme, option)
    assert load_predictor("starter", **{option: trained}).scheme == load_predictor("starter").scheme


def test_where_to_look_is_the_users_choice() -> None:
    scheme = bpr.load("starter", scheme="grid", nms_iou=0.5).predictor.scheme
    assert (scheme.kind, scheme.nms_iou, scheme.side) == ("grid", 0.5, 64)
    with pytest.raises(BPRError, match="scheme kind: expected one of dense, grid, instance, got 'hex'"):
        bpr.load("starter", scheme="hex")  # type: ignore[arg-type]
