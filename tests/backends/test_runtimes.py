"""Every runtime gives the masks of ONNX Runtime; bfloat16 nearly; threads, part batches and bad files are no trouble."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from bpr.backends import load_predictor, named_models
from bpr.backends.onnx_runtime import OnnxPredictor
from bpr.errors import BPRError
from bpr.refinement.predictor import PatchBatch, Predictor
from bpr.refinement.refiner import Refiner
from bpr.scenes import coarse_masks, paint_scene
from bpr.training.export.from_onnx import exported_state_dict
from bpr.training.network.segmentor import build_segmentor
from bpr.training.torch_predictor import MMSegPredictor, SegmentorPredictor
from tests.conftest import ROOT

pytest.importorskip("openvino", reason="OpenVINO is not installed")
from bpr.backends.openvino import OpenVinoPredictor

MODEL = named_models()["starter-fast"]
CONFIG = ROOT / "configs" / "bpr_mobilenet-v2-detail_1xb32-1500_any-mask-64x64.py"
NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")


@pytest.fixture(scope="module")
def reference() -> OnnxPredictor:
    return OnnxPredictor(MODEL)


@pytest.fixture(scope="module")
def openvino() -> OpenVinoPredictor:
    return OpenVinoPredictor(MODEL)


@pytest.fixture(scope="module")
def patches(reference: OnnxPredictor) -> np.ndarray:
    """Some patches of a painted scene."""
    scene = paint_scene(3, (200, 260))
    masks = np.stack([mask.to_frame() for mask in coarse_masks(scene, "mask_head", 3)])
    parts = Refiner(reference)(scene.image, masks, return_patches=True).patches
    return np.concatenate([part.patches for part in parts])[:24]


def probabilities(predictor: Predictor, patches: np.ndarray) -> np.ndarray:
    return predictor.predict(PatchBatch(patches, np.zeros((len(patches), 4), np.int32), []))


@pytest.fixture(scope="module")
def network() -> SegmentorPredictor:
    """The exported weights in torch."""
    return segmentor(bf16=False)


def segmentor(bf16: bool, device: str = "cpu", batch_size: int = 64) -> SegmentorPredictor:
    model = build_segmentor(CONFIG)[1].eval()
    model.load_state_dict(exported_state_dict(MODEL, model))
    exported = OnnxPredictor(MODEL)
    return SegmentorPredictor(model.to(device), exported.spec, exported.recommended, batch_size, bf16)


def test_openvino_gives_the_masks_of_onnx_runtime(reference: OnnxPredictor, openvino: OpenVinoPredictor) -> None:
    scene = paint_scene(5, (240, 320))
    masks = np.stack([mask.to_frame() for mask in coarse_masks(scene, "prototype", 5)])
    refined = [Refiner(predictor)(scene.image, masks) for predictor in (reference, openvino)]
    assert np.array_equal(*refined)
    assert not np.array_equal(refined[0], masks)


def test_both_read_the_same_metadata(reference: OnnxPredictor, openvino: OpenVinoPredictor) -> None:
    assert openvino.metadata == reference.metadata
    assert openvino.spec == reference.spec


def test_float32_is_float32_also_where_the_processor_has_bfloat16(
    reference: OnnxPredictor, openvino: OpenVinoPredictor, network: SegmentorPredictor, patches: np.ndarray
) -> None:
    expected = probabilities(reference, patches)
    for predictor in (openvino, network):
        assert np.abs(probabilities(predictor, patches) - expected).max() < 1e-4


def test_bfloat16_is_near(reference: OnnxPredictor, patches: np.ndarray) -> None:
    expected = probabilities(reference, patches)
    for predictor in (OpenVinoPredictor(MODEL, bf16=True), segmentor(bf16=True)):
        found = probabilities(predictor, patches)
        assert found.dtype == np.float32
        assert ((found > 0.5) == (expected > 0.5)).mean() > 0.98


def test_a_patch_has_its_answer_in_any_batch(openvino: OpenVinoPredictor, patches: np.ndarray) -> None:
    together = probabilities(openvino, patches)
    for size in (1, 3, 8):
        parts = [probabilities(openvino, patches[start : start + size]) for start in range(0, len(patches), size)]
        assert np.array_equal(np.concatenate(parts), together)


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_threads_may_share_a_loaded_network(backend: str, patches: np.ndarray) -> None:
    loaded = load_predictor("starter-fast", backend=backend)
    many = [patches[start : start + 4] for start in range(0, len(patches), 4)] * 2
    alone = [probabilities(loaded, part) for part in many]
    with ThreadPoolExecutor(4) as pool:
        shared = list(pool.map(lambda part: probabilities(loaded, part), many))
    assert all(np.array_equal(one, other) for one, other in zip(alone, shared, strict=True))


@pytest.mark.parametrize("kind", [OnnxPredictor, OpenVinoPredictor])
def test_a_file_that_is_no_model_is_one_line(kind: type, tmp_path: Path) -> None:
    with pytest.raises(BPRError, match="no such model file"):
        kind(tmp_path / "none.onnx")
    (tmp_path / "model.onnx").write_text("no model")
    with pytest.raises(BPRError, match=r"model\.onnx: .*, but \w+( Runtime)? cannot load it \(.+\); export it again$"):
        kind(tmp_path / "model.onnx")


def test_another_onnx_file_is_refused(tmp_path: Path) -> None:
    import onnx

    other = onnx.load(MODEL)
    del other.metadata_props[:]
    onnx.save(other, tmp_path / "other.onnx")
    with pytest.raises(BPRError, match=re.escape("an ONNX file without BPR's metadata")):
        OpenVinoPredictor(tmp_path / "other.onnx")


@NEEDS_GPU
def test_a_graph_and_a_part_batch_say_the_same_on_the_gpu(reference: OnnxPredictor, patches: np.ndarray, tmp_path: Path) -> None:
    model = build_segmentor(CONFIG)[1]
    torch.save({"state_dict": exported_state_dict(MODEL, model)}, tmp_path / "model.pth")
    predictor = MMSegPredictor(tmp_path / "model.pth", CONFIG, batch_size=16)
    full = probabilities(predictor, patches[:16])
    assert np.abs(probabilities(predictor, patches[:15]) - full[:15]).max() < 1e-4
    assert np.abs(full - probabilities(OnnxPredictor(MODEL), patches[:16])).max() < 1e-3


# A thread drops what the main thread loaded; then a child ends, which is a signal to a process that listens for it.
DROPPED_ELSEWHERE = """
import signal, subprocess, sys, threading
from bpr.backends.openvino import OpenVinoPredictor

held = [OpenVinoPredictor(sys.argv[1])]
thread = threading.Thread(target=held.clear)
thread.start()
thread.join()
heard = []
signal.signal(signal.SIGCHLD, lambda *_: heard.append(True))
subprocess.run([sys.executable, "-c", ""], check=True)
print(len(heard))
"""


def test_a_signal_after_a_thread_has_dropped_a_predictor() -> None:
    run = subprocess.run([sys.executable, "-c", DROPPED_ELSEWHERE, str(MODEL)], capture_output=True, text=True, cwd=ROOT)
    assert (run.returncode, run.stdout) == (0, "1\n"), run.stderr
