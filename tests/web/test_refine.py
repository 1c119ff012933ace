"""web/refine.js cuts the patches and makes the masks of the Python package: painted scenes with masks of all makers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, cycle
from pathlib import Path

import numpy as np
import pytest

from bpr.backends import model_file
from bpr.backends.onnx_runtime import OnnxPredictor
from bpr.refinement.predictor import PatchBatch
from bpr.refinement.refiner import Refinement, Refiner
from bpr.scenes import paint_scene
from bpr.training.data.makers import MAKERS, coarse_mask

pytest.importorskip("flask", reason="what is built is the page of bpr app (the [app] extra)")
from benchmarks.studies.web import Case, in_node, write_cases
from tools.build_web import RUNTIME

MODEL = model_file("starter-fast")
MASKS = 50
FRAMES = ((480, 640), (240, 320), (97, 131))
OBJECT_SIZES = (200, 40)
"""With the second one, most objects are refined from coarse to fine, some of them at three levels."""
SMALL = (50, 60)
"""One more case of every scene: a part that is smaller than a patch, and cuts an object."""
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
class Prepared:
    """Cases in a folder, for node, and what Python made of them: masks, and the patches of all levels."""

    folder: Path
    cases: list[Case]
    refined: list[Refinement]
    patches: list[bytes]

    def masks_of(self, case: Case) -> np.ndarray:
        """(N, H, W) bool: what node made of a case."""
        return np.fromfile(self.folder / f"{case.name}.refined", bool).reshape(case.masks.shape)


def drawn() -> Iterator[Case]:
    makers, sizes = cycle(MAKERS), cycle(OBJECT_SIZES)
    for seed in count():
        scene, rng = paint_scene(seed, FRAMES[seed % len(FRAMES)]), np.random.default_rng(seed)
        masks = np.array([coarse_mask(truth, rng, next(makers)).to_frame() for truth in scene.masks])
        yield Case(f"{seed}", scene.image, masks, next(sizes))
        x0, y0, x1, _ = scene.masks[0].box
        part = np.s_[y0 : y0 + SMALL[0], (x0 + x1) // 2 : (x0 + x1) // 2 + SMALL[1]]
        yield Case(f"{seed}-part", scene.image[part].copy(), masks[:1][:, part[0], part[1]].copy(), next(sizes))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    folder, predictor, generated = tmp_path_factory.mktemp("cases"), Watched(), drawn()
    prepared = Prepared(folder, [], [], [])
    while sum(len(case.masks) for case in prepared.cases) < MASKS:
        prepared.cases.append(next(generated))
    write_cases(folder, prepared.cases, MODEL)
    for case in prepared.cases:
        predictor.seen.clear()
        refiner = Refiner(predictor, predictor.recommended.changed(object_size=case.object_size))
        prepared.refined.append(refiner(case.image, case.masks, return_probability=True, return_verdict=True))
        patches, probabilities = (b"".join(batch[of].tobytes() for batch in predictor.seen) for of in (0, 1))
        prepared.patches.append(patches)
        (folder / f"{case.name}.probabilities").write_bytes(probabilities)
    return prepared


def test_equal_probabilities_give_equal_patches_masks_and_verdicts(prepared: Prepared) -> None:
    results = in_node(prepared.folder)
    for case, refined, patches in zip(prepared.cases, prepared.refined, prepared.patches, strict=True):
        assert (prepared.folder / f"{case.name}.patches").read_bytes() == patches, case.name
        assert np.array_equal(prepared.masks_of(case), refined.masks), case.name
        for found, verdict in zip(results[case.name]["verdicts"], refined.verdicts, strict=True):
            assert found["taken"] == verdict.taken, case.name
            assert list(found.values())[1:] == pytest.approx(verdict[1:], abs=0.02), case.name
    assert {verdict.taken for refined in prepared.refined for verdict in refined.verdicts} == {"all", "part", "nothing"}


def test_the_network_in_the_browser_gives_the_same_masks(prepared: Prepared) -> None:
    if not RUNTIME.is_dir():
        pytest.skip("onnxruntime-web is not installed (npm ci --prefix web)")
    in_node(prepared.folder, MODEL)
    for case, refined in zip(prepared.cases, prepared.refined, strict=True):
        differs = prepared.masks_of(case) != refined.masks
        assert (np.abs(refined.probability[differs] - 0.5) <= NEAR_HALF).all(), case.name
