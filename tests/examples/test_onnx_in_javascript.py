"""The models' files give equal masks in onnxruntime-web, which is what a browser runs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from bpr.backends import load_predictor, named_models
from bpr.refinement.predictor import PatchBatch
from bpr.refinement.refiner import Refiner
from bpr.scenes import coarse_masks, paint_scene
from tests.conftest import ROOT

PACKAGE = "onnxruntime-web@1.30.0"
EXAMPLE = ROOT / "examples" / "onnx_in_javascript.mjs"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with onnxruntime-web out of npm's cache: the tests use no network."""
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("needs node and npm")
    folder = tmp_path_factory.mktemp("node")
    install = ["npm", "install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund", PACKAGE]
    if subprocess.run(install, cwd=folder, capture_output=True).returncode:
        pytest.skip(f"needs {PACKAGE} in npm's cache: npm cache add {PACKAGE}, or npm install it once in any folder")
    return folder


class InJavaScript:
    """A predictor whose network runs in node."""

    def __init__(self, model: str, folder: Path) -> None:
        self.file, self.folder, known = named_models()[model], folder, load_predictor(model)
        self.spec, self.recommended, self.verdict, self.batch_size = known.spec, known.recommended, known.verdict, known.batch_size

    def predict(self, batch: PatchBatch) -> np.ndarray:
        files = [self.folder / "patches.bin", self.folder / "probabilities.bin"]
        batch.patches.tofile(files[0])
        subprocess.run(["node", EXAMPLE, self.file, *files], cwd=self.folder, check=True)
        return np.fromfile(files[1], np.float32).reshape(batch.patches.shape[:3])


@pytest.mark.parametrize("model", sorted(name for name in named_models() if not name.endswith(".int8")))
def test_equal_masks_in_javascript(installed: Path, model: str) -> None:
    scene = paint_scene(3, (240, 320))
    coarse = np.stack([mask.to_frame() for mask in coarse_masks(scene, "mask_head", 0)])
    predictors = load_predictor(model, backend="onnxruntime"), InJavaScript(model, installed)
    python, javascript = (Refiner(predictor)(scene.image, coarse) for predictor in predictors)
    assert not np.array_equal(coarse, python)
    assert np.array_equal(python, javascript)
