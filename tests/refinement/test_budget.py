"""The budget of an image: fewer patches, and nothing else changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bpr
from bpr.cli.main import main
from bpr.errors import BPRError
from bpr.geometry.options import PatchSpec, RefineOptions
from bpr.geometry.placement import SCHEMES
from bpr.refinement.predictor import IdentityPredictor, PatchBatch
from bpr.refinement.refiner import Refiner
from bpr.scenes import coarse_masks, paint_scene
from tests.conftest import SmallSet


class Opposite(IdentityPredictor):
    """Says the opposite of the mask, so that every refined pixel shows."""

    def predict(self, batch: PatchBatch) -> np.ndarray:
        return 1 - super().predict(batch)


@pytest.fixture(scope="module")
def scene() -> tuple[np.ndarray, np.ndarray]:
    painted = paint_scene(0, (150, 200))
    return painted.image, np.stack([mask.to_frame() for mask in coarse_masks(painted, "mask_head", 0)])


def opposite(**options: Any) -> Refiner:
    return Refiner(Opposite(PatchSpec(side=32)), RefineOptions(**options))


def test_keeping_all_is_the_refiner_without_a_budget(scene: tuple[np.ndarray, np.ndarray]) -> None:
    usual = bpr.load("starter-fast")(*scene, return_probability=True)
    for options in ({"keep": 1.0}, {"max_patches": 10**6}):
        asked = bpr.load("starter-fast", **options)(*scene, return_probability=True)
        assert np.array_equal(asked.masks, usual.masks)
        assert np.array_equal(asked.probability, usual.probability)


@pytest.mark.parametrize("options", [{"keep": 0.3}, {"max_patches": 1}, {"keep": 0.9, "max_patches": 2}])
def test_the_mask_changes_inside_the_chosen_patches_alone(scene: tuple[np.ndarray, np.ndarray], options: dict[str, Any]) -> None:
    image, masks = scene
    every = opposite()(image, masks, return_patches=True).patches
    asked = opposite(**options)(image, masks, return_patches=True)
    for coarse, refined, own, all_own in zip(masks, asked.masks, asked.patches, every, strict=True):
        covered = np.zeros(coarse.shape, bool)
        for x0, y0, x1, y1 in own.boxes:
            covered[y0:y1, x0:x1] = True
        assert np.array_equal(refined, coarse ^ covered)
        assert set(map(tuple, own.boxes.tolist())) <= set(map(tuple, all_own.boxes.tolist()))
    total = sum(len(own.boxes) for own in every)
    assert sum(len(own.boxes) for own in asked.patches) == RefineOptions(**options).budget(total)


def test_a_stream_chooses_image_by_image(scene: tuple[np.ndarray, np.ndarray]) -> None:
    image, masks = scene
    pairs = [(image, masks), (image, masks[:1]), (image, masks[:0])]
    refiner = opposite(keep=0.4)
    for pair, streamed in zip(pairs, refiner.stream(pairs), strict=True):
        assert np.array_equal(refiner(*pair), streamed)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_identity_gives_back_what_came_in(scene: tuple[np.ndarray, np.ndarray], scheme: str) -> None:
    asked = bpr.load("identity", scheme=scheme, keep=0.5)(*scene, return_probability=True)
    assert np.array_equal(asked.masks, scene[1])
    assert np.array_equal(asked.probability, scene[1].astype(np.float32))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"keep": 0.0}, r"keep: expected a share in \(0, 1\], got 0.0"),
        ({"keep": -0.5}, "keep"),
        ({"keep": 1.5}, "keep"),
        ({"keep": float("nan")}, "keep"),
        ({"max_patches": 0}, "max_patches: expected a whole number of 1 or more, got 0"),
    ],
)
def test_an_impossible_budget_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(BPRError, match=words):
        bpr.load("identity", **options)


def refined_with(data: SmallSet, *options: str) -> int:
    files = [str(data.results), "--img-dir", str(data.images), "--out", str(data.folder / "out.json")]
    return main(["refine", *files, "--model", "starter-fast", *options])


def test_the_choice_does_not_depend_on_the_workers(small_set: SmallSet) -> None:
    written = []
    for workers in ("1", "2", "5"):
        assert refined_with(small_set, "--keep", "0.5", "--workers", workers) == 0
        written.append((small_set.folder / "out.json").read_bytes())
    assert written[0] == written[1] == written[2]


def test_the_command_says_how_many_of_the_patches_it_spent(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    assert refined_with(small_set) == 0
    total = int(capsys.readouterr().out.split(" patches in ")[0].split()[-1])
    assert refined_with(small_set, "--keep", "0.01") == 0
    assert f"2 images, 2 of {total} patches in " in capsys.readouterr().out


def test_the_budget_of_an_image_goes_to_its_surer_records(small_set: SmallSet) -> None:
    """A score that is no number, and none at all, count fully."""
    same = [{**record, "image_id": small_set.records[0]["image_id"]} for record in small_set.records[:1] * 4]
    for scores, first in (((0.1, 0.9, 0.2, 0.3), 1), ((0.1, 0.2, 0.3, "high"), 3), ((0.1, None, 0.9, 0.8), 1)):
        records = [{**record, "score": score} for record, score in zip(same, scores, strict=True)]
        results = small_set.write("scored.json", records)
        files = [str(results), "--img-dir", str(small_set.images), "--out", str(small_set.folder / "scored.refined.json")]
        assert main(["refine", *files, "--model", "starter-fast", "--keep", "0.01"]) == 0
        refined = json.loads((small_set.folder / "scored.refined.json").read_text())
        changed = [old["segmentation"] != new["segmentation"] for old, new in zip(records, refined, strict=True)]
        assert changed == [index == first for index in range(4)]


def test_a_wrong_budget_costs_one_line(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    assert refined_with(small_set, "--keep", "2") == 2
    error = capsys.readouterr().err
    assert "keep: expected a share in (0, 1], got 2.0" in error
    assert len(error.splitlines()) == 1
    assert not Path(small_set.folder / "out.json").exists()
