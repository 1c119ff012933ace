"""The example that embeds a model's file: one patch is the same as in the package, and the whole mask gets better."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from bpr.backends import load_predictor, named_models
from bpr.evaluation.matching import mask_iou
from bpr.geometry.masks import BoxMask
from bpr.geometry.patches import crop_patches, patch_boxes
from bpr.refinement.predictor import PatchBatch
from bpr.scenes import coarse_masks, paint_scene
from examples.onnx_without_bpr import evidence
from tests.conftest import ROOT

STARTER = named_models()["starter"]


@pytest.mark.parametrize("frame", [(150, 200), (480, 640)])
def test_a_patch_is_that_of_the_package(frame: tuple[int, int]) -> None:
    scene = paint_scene(3, frame)
    predictor, session = load_predictor("starter", backend="onnxruntime"), onnxruntime.InferenceSession(STARTER)
    spec, placement = predictor.spec, predictor.recommended.placement
    for mask in coarse_masks(scene, "mask_head", 0):
        layers = np.dstack([scene.image, mask.to_frame() * np.uint8(255), evidence(scene.image, mask.to_frame())])
        boxes = patch_boxes(mask, spec, placement)[:3]
        patches = crop_patches(scene.image, mask, boxes, spec)
        probabilities = predictor.predict(PatchBatch(patches, boxes, []))
        for patch, probability, (x0, y0, x1, y1) in zip(patches, probabilities, boxes.tolist(), strict=True):
            embedded = layers[y0:y1, x0:x1]
            assert np.array_equal(embedded, patch)
            alone = session.run(["probability"], {"patches": embedded[None]})[0][0]
            assert np.abs(alone - probability).max() < 1e-5  # runtimes may sum in another order for another batch size


def test_the_program_refines_a_mask_without_the_package(tmp_path: Path) -> None:
    scene = paint_scene(3, (240, 320))
    coarse, truth = coarse_masks(scene, "mask_head", 0)[0].to_frame(), scene.masks[0]
    np.save(tmp_path / "image.npy", scene.image)
    np.save(tmp_path / "mask.npy", coarse)
    program = ROOT / "examples" / "onnx_without_bpr.py"
    command = [sys.executable, "-P", program, STARTER, *(tmp_path / f"{name}.npy" for name in ("image", "mask", "refined"))]
    subprocess.run(command, cwd=tmp_path, env={}, check=True)
    before, after = (mask_iou([BoxMask.from_frame(mask)], [truth])[0, 0] for mask in (coarse, np.load(tmp_path / "refined.npy")))
    assert after > before + 0.02
    assert "bpr" not in [line.split()[1] for line in program.read_text().splitlines() if line.startswith(("import", "from"))]
