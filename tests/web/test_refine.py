"""web/refine.js cuts the patches and makes the masks of the Python package: painted scenes with masks of all makers."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bpr.backends import model_file
from bpr.backends.onnx_runtime import OnnxPredictor
from bpr.io.files import write_json
from bpr.refinement.predictor import PatchBatch
from bpr.refinement.refiner import Refinement, Refiner
from bpr.scenes import paint_scene
from bpr.training.data.makers import MAKERS, coarse_mask
from tests.conftest import ROOT
from tools.build_web import RUNTIME, settings_of

MODEL = model_file("starter-fast")
CASES = 50
FRAMES = ((480, 640), (240, 320), (97, 131))
SMALL, SMALL_EVERY = (50, 60), 10
"""Every so many cases one is a part of its image, smaller than a patch, that cuts the object."""
OBJECT_SIZES = (200, 40)
"""With the second one, most objects are refined from coarse to fine, some of them at three levels."""
NEAR_HALF = 1e-3


class Watched(OnnxPredictor):
    """Keeps the patches that the network got, and its probabilities."""

    def __init__(self) -> None:
        super().__init__(MODEL)
        self.seen: list[tuple[np.ndarray, np.ndarray]] = []

    def predict(self, batch: PatchBatch) -> np.ndarray:
        self.seen.append((batch.patches.copy(), super().predict(batch)))
        return self.seen[-1][1]


@dataclass(frozen=True)
class Case:
    name: str
    image: np.ndarray
    mask: np.ndarray
    object_size: int


@dataclass(frozen=True)
class Prepared:
    """Cases in a folder, for node, and what Python made of them: masks, and the patches of all levels."""

    folder: Path
    cases: list[Case]
    refined: list[Refinement]
    patches: list[bytes]

    def in_node(self, *model: str | Path) -> dict[str, Any]:
        """The verdicts; masks and patches lie in the folder."""
        command = ["node", ROOT / "tests/web/refine_cases.js", self.folder, *model]
        subprocess.run(command, check=True, timeout=600)
        return json.loads((self.folder / "verdicts.json").read_text())

    def mask_of(self, case: Case) -> np.ndarray:
        return np.fromfile(self.folder / f"{case.name}.refined", bool).reshape(case.mask.shape)


def drawn() -> Iterator[Case]:
    makers, sizes = cycle(MAKERS), cycle(OBJECT_SIZES)
    for seed in count():
        scene = paint_scene(seed, FRAMES[seed % len(FRAMES)])
        for number, truth in enumerate(scene.masks):
            maker, rng = next(makers), np.random.default_rng((seed, number))
            image, mask = scene.image, coarse_mask(truth, rng, maker).to_frame()
            if (seed + number) % SMALL_EVERY == 0:
                row, column = truth.box[1], (truth.box[0] + truth.box[2]) // 2
                part = np.s_[row : row + SMALL[0], column : column + SMALL[1]]
                image, mask = np.ascontiguousarray(image[part]), np.ascontiguousarray(mask[part])
            yield Case(f"{seed}-{number}-{maker.name}", image, mask, next(sizes))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    folder, predictor = tmp_path_factory.mktemp("cases"), Watched()
    prepared = Prepared(folder, list(islice(drawn(), CASES)), [], [])
    write_json(folder / "settings.json", settings_of(MODEL))
    frames = [{"name": case.name, "width": case.mask.shape[1], "height": case.mask.shape[0]} for case in prepared.cases]
    sizes = [{"object_size": case.object_size} for case in prepared.cases]
    write_json(folder / "cases.json", [frame | size for frame, size in zip(frames, sizes, strict=True)])
    for case in prepared.cases:
        np.dstack([case.image, np.full(case.mask.shape, 255, np.uint8)]).tofile(folder / f"{case.name}.image")
        case.mask.tofile(folder / f"{case.name}.mask")
        predictor.seen.clear()
        refiner = Refiner(predictor, predictor.recommended.changed(object_size=case.object_size))
        prepared.refined.append(refiner(case.image, case.mask, return_probability=True, return_verdict=True))
        patches, probabilities = (b"".join(batch[of].tobytes() for batch in predictor.seen) for of in (0, 1))
        prepared.patches.append(patches)
        (folder / f"{case.name}.probabilities").write_bytes(probabilities)
    return prepared


def test_equal_probabilities_give_equal_patches_masks_and_verdicts(prepared: Prepared) -> None:
    verdicts = prepared.in_node()
    for case, refined, patches in zip(prepared.cases, prepared.refined, prepared.patches, strict=True):
        assert (prepared.folder / f"{case.name}.patches").read_bytes() == patches, case.name
        assert np.array_equal(prepared.mask_of(case), refined.masks), case.name
        assert verdicts[case.name]["taken"] == refined.verdicts[0].taken, case.name
        for number, rounded in zip(("expected_gain", "moved_px"), refined.verdicts[0][1:], strict=True):
            assert verdicts[case.name][number] == pytest.approx(rounded, abs=0.02), case.name
    # The cases are varied: every verdict, and objects that are refined at one, two and three levels.
    assert {refined.verdicts[0].taken for refined in prepared.refined} == {"all", "part", "nothing"}


def test_the_network_in_the_browser_gives_the_same_masks(prepared: Prepared) -> None:
    if not RUNTIME.is_dir():
        pytest.skip("onnxruntime-web is not installed (npm ci --prefix web)")
    prepared.in_node(MODEL)
    for case, refined in zip(prepared.cases, prepared.refined, strict=True):
        differs = prepared.mask_of(case) != refined.masks
        assert (np.abs(refined.probability[differs] - 0.5) <= NEAR_HALF).all(), case.name
