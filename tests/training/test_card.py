"""Patches that are cut and put back with torch: the bits of NumPy's, whatever lies at the edge of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.inputs import Split, exported_network
from bpr.backends import load_predictor
from bpr.geometry.masks import BoxMask
from bpr.geometry.options import Leaning, PatchSpec, RefineOptions
from bpr.geometry.patches import patch_boxes
from bpr.refinement.predictor import IdentityPredictor
from bpr.refinement.refiner import Refiner
from bpr.refinement.workbench import IN_MEMORY
from bpr.scenes import coarse_masks, paint_scene
from bpr.training.card import Card
from bpr.training.torch_predictor import SegmentorPredictor

FRAME = (70, 90)
CARD = Card(torch.device("cpu"))


def masks_of(frame: tuple[int, int]) -> list[BoxMask]:
    """In corners, across the frame, a few pixels, all of the frame."""
    height, width = frame
    across, last = (0, height // 3, width, height // 2), (width - 25, height - 9, width, height)
    found = []
    for x0, y0, x1, y1 in ((0, 0, 30, 20), last, across, (12, 11, 14, 12), (0, 0, width, height)):
        mask = np.zeros(frame, bool)
        mask[y0:y1, x0:x1] = True
        found.append(BoxMask.from_frame(mask))
    return found


def inputs(frame: tuple[int, int], spec: PatchSpec, scheme: str = "dense") -> tuple[np.ndarray, list[BoxMask], list[np.ndarray]]:
    image = np.random.default_rng(0).integers(0, 256, (*frame, 3), dtype=np.uint8)
    masks = masks_of(frame)
    return image, masks, [patch_boxes(mask, spec, RefineOptions(scheme)) for mask in masks]


def test_a_patch_is_the_image_and_its_edge_repeated() -> None:
    image = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    mask = BoxMask.from_frame(np.array([[0, 0, 0, 0, 1]] * 4))
    patch = CARD.cut(image, [mask], [np.array([[0, 0, 8, 8]])], PatchSpec(side=8))[0].numpy()
    assert patch[:, :, 0].tolist() == [[15 * min(y, 3) + 3 * min(x, 4) for x in range(8)] for y in range(8)]
    assert patch[:, :, 3].tolist() == [[0, 0, 0, 0, 255, 255, 255, 255]] * 8


@pytest.mark.parametrize("frame", [FRAME, (20, 90), (9, 11)])
@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize("scheme", ["dense", "grid", "instance"])
def test_patches_are_equal(frame: tuple[int, int], padding: int, scheme: str) -> None:
    spec = PatchSpec(side=16, padding=padding, inputs=("rgb", "evidence", "mask"))
    image, masks, boxes = inputs(frame, spec, scheme)
    found = CARD.cut(image, masks, boxes, spec)
    assert np.array_equal(found.numpy(), IN_MEMORY.cut(image, masks, boxes, spec))


@pytest.mark.parametrize("blend", ["mean", "centred"])
@pytest.mark.parametrize("leaning", [(0.0, 0.0), (0.2, -0.2), None])
@pytest.mark.parametrize("scheme", ["dense", "instance"])
def test_sums_and_masks_are_equal(blend: Any, leaning: Leaning | None, scheme: str) -> None:
    spec = PatchSpec(side=16, padding=2)
    _, masks, boxes = inputs(FRAME, spec, scheme)
    rng = np.random.default_rng(1)
    probabilities = rng.random((sum(map(len, boxes)), spec.window, spec.window), np.float32)
    ours = CARD.blended(masks, boxes, torch.from_numpy(probabilities), spec, blend, leaning)
    theirs = IN_MEMORY.blended(masks, boxes, probabilities, spec, blend, leaning)
    for one, other in zip(ours, theirs, strict=True):
        for question in ((0.0, 0.0), (0.2, -0.2), (-0.1, -0.1)):
            assert one.refined(question).equals(other.refined(question))
            assert np.array_equal(one.probability(question), other.probability(question))
        assert np.array_equal(one.excess, other.excess)
        assert np.array_equal(one.covered, other.covered)
        assert np.array_equal(one.near(3).probability(), other.near(3).probability())


def test_a_mask_that_would_vanish_stays_as_it_was() -> None:
    spec = PatchSpec(side=16)
    _, masks, boxes = inputs(FRAME, spec)
    nothing = torch.zeros(sum(map(len, boxes)), 16, 16)
    found = CARD.blended(masks, boxes, nothing, spec, "mean", (0.0, 0.0))
    assert found[3].refined() is masks[3]
    assert found[4].refined() is masks[4]  # it has no boundary, so no patches


@pytest.fixture(scope="module")
def sides() -> list[SegmentorPredictor]:
    """The same network with its patches in memory, and on the device."""
    packaged, network = load_predictor("starter-fast"), exported_network("starter-fast")
    pair = [SegmentorPredictor(network, packaged.spec, packaged.recommended, batch_size=24, on_card=on_card) for on_card in (False, True)]
    for one in pair:
        one.verdict = packaged.verdict
    return pair


def both(sides: Sequence[SegmentorPredictor], options: dict[str, Any]) -> list[Refiner]:
    return [Refiner(one, one.recommended.changed(**options)) for one in sides]


@pytest.mark.parametrize("options", [{"caution": 0.0}, {"caution": 0.2, "keep": 0.5}, {}, {"object_size": 40}])
def test_masks_of_painted_scenes_are_equal(sides: Sequence[SegmentorPredictor], options: dict[str, Any]) -> None:
    scenes = [paint_scene(seed, (120, 160)) for seed in range(3)]
    pairs = [(scene.image, np.array([mask.to_frame() for mask in coarse_masks(scene, "prototype")])) for scene in scenes]
    pairs.append((pairs[0][0], pairs[0][1][:0]))
    extras = {"return_probability": True, "return_patches": True, "return_verdict": "caution" not in options}
    theirs, ours = (list(refiner.stream(pairs, **extras)) for refiner in both(sides, options))
    changed = 0
    for one, other, (_, coarse) in zip(ours, theirs, pairs, strict=True):
        assert np.array_equal(one.masks, other.masks)
        assert np.array_equal(one.probability, other.probability)
        assert one.verdicts == other.verdicts
        for mine, yours in zip(one.patches, other.patches, strict=True):
            assert np.array_equal(mine.patches, yours.patches)
            assert np.array_equal(mine.probabilities, yours.probabilities)
        changed += np.count_nonzero(one.masks != coarse)
    assert changed  # else the test says nothing


def test_a_label_map_and_soft_edges_are_equal(sides: Sequence[SegmentorPredictor]) -> None:
    scene = paint_scene(5, (120, 160))
    labels = np.zeros((120, 160), np.int32)
    for number, mask in enumerate(coarse_masks(scene, "prototype"), start=1):
        mask.paint(labels, number)
    for soft in (False, True):
        theirs, ours = (refiner(scene.image, labels, soft=soft) for refiner in both(sides, {"caution": 0.0}))
        assert np.array_equal(ours, theirs)


def test_a_network_without_a_card_keeps_patches_in_memory() -> None:
    refiner = Refiner(IdentityPredictor())
    image = np.zeros((40, 60, 3), np.uint8)
    masks = np.zeros((1, 40, 60), bool)
    masks[0, 10:30, 10:40] = True
    (patches,) = refiner(image, masks, return_patches=True).patches
    assert type(patches.patches) is np.ndarray


def test_masks_of_davis_are_equal(sides: Sequence[SegmentorPredictor], shared_data: Path) -> None:
    split = Split.read(shared_data, "davis_val")
    theirs, ours = (split.refined(Refiner(one, one.recommended.changed(max_patches=12)))[0] for one in sides)
    assert ours == theirs
    assert ours != list(split.records)
