"""The verdict: what it is told about a mask, what it decides, and what a user sees of it."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

import bpr
from bpr.geometry.options import AUTO, LEANINGS, RefineOptions
from bpr.refinement.predictor import IdentityPredictor, PatchBatch
from bpr.refinement.refiner import Refiner
from bpr.refinement.verdict.features import FEATURES, Description, describe
from bpr.refinement.verdict.model import Verdict, VerdictModel, inputs_of


def always(choice: int | None, gain: float = 2.0, boundary_gain: float = 0.0) -> VerdictModel:
    """A verdict that expects ``gain`` at one caution, and that every other change harms; F changes by ``boundary_gain``."""
    bias = np.zeros((len(LEANINGS), 3))
    bias[:] = 20, -20, boundary_gain
    if choice is not None:
        bias[choice] = -20, 20, boundary_gain
    inputs = 2 * FEATURES + 1
    first, second, last = np.zeros((1, inputs + 1, 3)), np.zeros((1, 4, 3)), np.zeros((1, 4, bias.size))
    last[0, -1] = bias.ravel()
    numbers = {"edges": [0.0], "outcomes": [-5.0, gain], "boundary_weight": 0.5, "aversion": 1.0, "least": 0.1}
    layers = {"first": first, "second": second, "last": last}
    values = {"centre": np.zeros(inputs), "spread": np.ones(inputs), **layers, **numbers}
    return VerdictModel(**{name: np.asarray(value, np.float32) for name, value in values.items()})


def test_the_mean_of_the_members_decides() -> None:
    sure, opposed = always(0), always(None)
    layers = {name: np.concatenate([getattr(sure, name), getattr(opposed, name)]) for name in ("first", "second", "last")}
    both = replace(sure, **layers, edges=np.array([-1], np.float32))
    expected, worth = both.predict(np.zeros((1, 2 * FEATURES + 1), np.float32))
    assert expected[0, 0] == pytest.approx((2 - 5) / 2, abs=1e-3)
    assert worth[0, 0] == pytest.approx((2 - 5) / 2 - 1 / 2, abs=1e-3)  # an aversion of 1, half a chance of harm


def test_a_change_is_worth_what_it_adds_to_iou_and_by_weight_to_f() -> None:
    expected, worth = always(0, gain=0.5, boundary_gain=6.0).predict(np.zeros((1, 2 * FEATURES + 1), np.float32))
    assert (expected[0, 0], worth[0, 0]) == pytest.approx((0.5, 3.5), abs=1e-3)
    assert worth[0, 1] == pytest.approx(-5 + 3, abs=1e-3)


class Grower(IdentityPredictor):
    """Believes in foreground 3 px around the mask, with probability .75, and surely in the mask."""

    def __init__(self, verdict: VerdictModel) -> None:
        super().__init__()
        self.verdict = verdict  # type: ignore[assignment]
        self.recommended = RefineOptions(caution=AUTO)

    def predict(self, batch: PatchBatch) -> np.ndarray:
        masks = super().predict(batch)
        return np.stack([np.maximum(mask, 0.75 * cv2.dilate(mask, np.ones((7, 7)))) for mask in masks])


def square() -> tuple[np.ndarray, np.ndarray]:
    image, mask = np.zeros((120, 160, 3), np.uint8), np.zeros((120, 160), bool)
    mask[40:80, 50:110] = image[40:80, 50:110, 0] = 1
    return image * np.uint8(200), mask


def test_how_much_is_taken_follows_the_decision() -> None:
    image, mask = square()
    areas, verdicts = [], []
    for choice in (0, 2, 3, None):
        refined = Refiner(Grower(always(choice)))(image, mask, return_verdict=True)
        areas.append(int(refined.masks.sum()))
        verdicts.append(refined.verdicts[0])
    grown = 46 * 66
    assert areas == [grown, grown, 2400, 2400]  # a caution of .3 wants a probability above .8
    assert [verdict.taken for verdict in verdicts] == ["all", "part", "nothing", "nothing"]
    assert verdicts[0].expected_gain == verdicts[1].expected_gain == 2
    assert verdicts[0].moved_px == pytest.approx(3, abs=0.3)
    assert verdicts[3] == Verdict("nothing", 0.0, 0.0)


def test_without_auto_there_is_no_verdict() -> None:
    image, mask = square()
    refiner = Refiner(Grower(always(None)), RefineOptions(caution=0.1))
    result = refiner(image, mask, return_verdict=True)
    assert result.verdicts == []
    assert result.masks.sum() == 46 * 66
    with pytest.raises(ValueError, match="caution: expected a number, got auto; this model has no verdict"):
        Refiner(IdentityPredictor(), RefineOptions(caution=AUTO))


def test_probability_is_what_was_taken() -> None:
    image, mask = square()
    for choice in (0, None):
        result = Refiner(Grower(always(choice)))(image, mask, return_probability=True)
        assert np.array_equal(result.probability > 0.5, result.masks)


def test_an_empty_mask_and_no_mask_have_verdicts_of_nothing() -> None:
    image, mask = square()
    result = Refiner(Grower(always(0)))(image, np.stack([mask, np.zeros_like(mask)]), return_verdict=True)
    assert [verdict.taken for verdict in result.verdicts] == ["all", "nothing"]
    assert Refiner(Grower(always(0)))(image, np.zeros((0, 120, 160), bool), return_verdict=True).verdicts == []


def test_the_model_is_plain_json_and_comes_back_the_same() -> None:
    model = always(1)
    again = VerdictModel.from_dict(json.loads(json.dumps(model.to_dict())))
    rows = np.random.default_rng(0).normal(size=(5, 2 * FEATURES + 1)).astype(np.float32)
    assert all(np.array_equal(a, b) for a, b in zip(model.predict(rows), again.predict(rows), strict=True))


@pytest.mark.parametrize("name", ["centre", "first", "last", "outcomes"])
def test_a_damaged_model_is_refused(name: str) -> None:
    values = always(1).to_dict()
    for damage in (None, {"shape": [3], "data": "AAAA"}, {"shape": values[name]["shape"], "data": "!"}):
        with pytest.raises(ValueError, match="verdict: expected"):
            VerdictModel.from_dict({**values, name: damage})
    with pytest.raises(ValueError, match="verdict: expected"):
        VerdictModel.from_dict({key: value for key, value in values.items() if key != name})


def test_masks_of_an_image_are_judged_together_in_any_order() -> None:
    rng = np.random.default_rng(0)
    features, moved = (lambda: rng.normal(size=FEATURES).astype(np.float32)), [1.0] * len(LEANINGS)
    masks = [Description(features(), 900, length, moved) for length in (10, 200, 40)]
    scores = [0.9, 0.5, 0.05]
    rows, turned = inputs_of(masks, scores), inputs_of(masks[::-1], scores[::-1])
    assert np.allclose(rows[::-1], turned, atol=1e-6)
    assert np.allclose(rows[:, FEATURES:], rows[0, FEATURES:], atol=1e-6)  # the mean over the image, and its masks


@pytest.mark.parametrize(("area", "kept"), [(60, False), (59, True), (1, True)])
def test_a_change_many_times_as_large_as_the_mask_is_not_taken(area: int, kept: bool) -> None:
    mask = Description(np.zeros(FEATURES, np.float32), area, 24, [10.0] * len(LEANINGS))
    ((leaning, verdict),) = always(0)([mask], [1.0])
    assert (leaning is None) == kept == (verdict.taken == "nothing")


def test_features_tell_a_sharp_edge_from_a_shifted_one() -> None:
    image, mask = square()
    on = describe(mask, mask.astype(np.float32), np.ones_like(mask), image)
    shifted = np.roll(mask, 3, axis=1)
    off = describe(shifted, mask.astype(np.float32), np.ones_like(mask), image)
    assert len(on.values) == len(off.values) == FEATURES
    assert np.isfinite(on.values).all()
    assert on.moved_px == [0.0] * len(LEANINGS)
    assert off.moved_px[0] == pytest.approx(240 / off.length)


def test_a_change_far_from_the_object_does_not_stop_it() -> None:
    """Neither a single pixel, nor a mask that fills its frame, nor one that the network would remove."""
    for coarse in (np.eye(9, dtype=bool), np.ones((9, 9), bool)):
        for value in (0.0, 1.0):
            found = describe(coarse, np.full((9, 9), value, np.float32), np.ones((9, 9), bool), np.zeros((9, 9, 3), np.uint8))
            assert np.isfinite(found.values).all()


@pytest.mark.parametrize("model", ["starter", "starter-fast"])
def test_a_packaged_model_leaves_good_masks_alone_and_mends_bad_ones(model: str) -> None:
    from bpr.scenes import coarse_masks, paint_scene

    refiner, good, before, after = bpr.load(model), [], [], []
    for seed in (5, 6):
        scene = paint_scene(seed)
        truths = np.stack([mask.to_frame() for mask in scene.masks])
        coarse = np.stack([mask.to_frame() for mask in coarse_masks(scene, "mask_head", 0)])
        sides = ((good, refiner(scene.image, truths)), (before, coarse), (after, refiner(scene.image, coarse)))
        for found, masks in sides:
            found += [(a & b).sum() / (a | b).sum() for a, b in zip(masks, truths, strict=True)]
    assert np.mean(good) > 0.995
    assert np.mean(after) > np.mean(before) + 0.015
