"""One call, many calls, many threads: the same bits, and what the network said beside them."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

import bpr
from bpr.errors import BPRError
from bpr.geometry.options import PatchSpec, RefineOptions
from bpr.geometry.placement import SCHEMES
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


def test_images_may_be_in_memory(pairs: list[Pair]) -> None:
    pictures = pytest.importorskip("PIL.Image")
    image, masks = pairs[0]
    content = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
    refiner = bpr.load("starter-fast")
    expected = refiner(image, masks)
    for photo in (content, bytearray(content), memoryview(content), pictures.fromarray(image), pictures.open(io.BytesIO(content))):
        assert np.array_equal(refiner(photo, masks), expected)


def test_the_repr_says_who_predicts() -> None:
    assert repr(bpr.load("identity")) == "Refiner(identity)"
    own = Constant()
    assert repr(Refiner(own)) == f"Refiner({own!r})"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_probability_says_the_mask(pairs: list[Pair], scheme: str) -> None:
    rng = np.random.default_rng(0)

    class Random(IdentityPredictor):
        def predict(self, batch: PatchBatch) -> np.ndarray:
            return rng.random(batch.patches.shape[:3], np.float32)

    refiner = Refiner(Random(PatchSpec(side=32)), RefineOptions(scheme))
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


@pytest.mark.parametrize("scheme", SCHEMES)
def test_identity_changes_nothing_in_any_scheme(pairs: list[Pair], scheme: str) -> None:
    for image, masks in pairs:
        assert np.array_equal(bpr.load("identity", scheme=scheme)(image, masks), masks)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_any_scheme_runs_with_any_model(pairs: list[Pair], scheme: str) -> None:
    image, masks = pairs[0]
    assert (bpr.load("starter", scheme=scheme)(image, masks) != masks).any()


@pytest.mark.parametrize("option", ["side", "padding", "inputs", "passes", "kind"])
def test_what_is_no_option_of_refining_is_refused(option: str) -> None:
    with pytest.raises(BPRError, match=rf"expected options of scheme, nms_iou, .*, got '{option}'; leave it out"):
        bpr.load("starter", **{option: 32})


def test_a_misspelt_setting_is_guessed_before_the_model_is_loaded() -> None:
    with pytest.raises(BPRError, match=r"^expected options of scheme, .*, batch_size, got 'batchsize'; did you mean batch_size\?$"):
        bpr.load("no such model", batchsize=4)


def test_where_patches_lie_is_the_users_choice() -> None:
    refiner = bpr.load("starter", scheme="grid", nms_iou=0.5)
    assert (refiner.options.scheme, refiner.options.nms_iou, refiner.predictor.spec.side) == ("grid", 0.5, 64)
    assert bpr.load("starter").options == refiner.predictor.recommended
    with pytest.raises(BPRError, match="scheme: expected one of dense, grid, instance, got 'hex'"):
        bpr.load("starter", scheme="hex")


def test_an_image_that_numpy_refuses_is_one_line() -> None:
    with pytest.raises(bpr.BadInput, match=r"^image: expected .*, got list \(.*inhomogeneous.*\); convert it, or pass its file$"):
        bpr.load("identity")([[1], [2, 3]], np.ones((1, 2, 2), bool))
