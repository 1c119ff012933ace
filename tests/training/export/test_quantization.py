"""The int8 file says what the float file says, and tells what it was made of."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from torch import nn

from bpr.backends.onnx_runtime import OnnxPredictor
from bpr.errors import BPRError
from bpr.geometry.options import PatchSpec, RefineOptions
from bpr.io.files import sha256_of
from bpr.io.image_finder import ImageFolder
from bpr.refinement.predictor import PatchBatch
from bpr.training.export.quantization import HELD_OUT, draw_patches, quantize_onnx
from bpr.training.export.to_onnx import export_onnx
from bpr.training.network.preprocessor import PatchPreprocessor
from tests.conftest import SmallSet
from tests.scripts import run_tool
from tests.test_errors import turned_photo

CUT = PatchSpec(side=16, padding=4), RefineOptions()


class ThreeConvolutions(nn.Module):
    """The least that quantizes: a stem, a hidden convolution beside a shortcut, logits. It believes the mask, roughly."""

    def __init__(self, hidden: int = 1) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.data_preprocessor = PatchPreprocessor(24)
        self.stem = nn.Conv2d(4, 16, 3, padding=1)
        self.hidden = nn.ModuleList(nn.Conv2d(16, 16, 3, padding=1) for _ in range(hidden))
        self.logits = nn.Conv2d(16, 1, 1)
        with torch.no_grad():
            self.stem.weight[0, 3], self.logits.weight[0, 0], self.logits.bias[:] = 1.0, 4.0, -16.0

    def probabilities(self, patches: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(self.data_preprocessor.normalise(patches.permute(0, 3, 1, 2))))
        for convolution in self.hidden:
            x = torch.relu(x + convolution(x))
        return torch.sigmoid(self.logits(x)[:, 0])


class SixAtMost(ThreeConvolutions):
    """With a ReLU6 straight behind the hidden convolution, as a MobileNet has."""

    def probabilities(self, patches: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(self.data_preprocessor.normalise(patches.permute(0, 3, 1, 2))))
        for convolution in self.hidden:
            x = x + nn.functional.relu6(convolution(x))
        return torch.sigmoid(self.logits(x)[:, 0])


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    export_onnx(ThreeConvolutions(), *CUT, path, {"config": "toy.py", "trained_on": "nothing"})
    return path


def quantize(model: Path, data: SmallSet, out: Path, *options: str) -> int:
    files = ["--results", str(data.results), "--ann", str(data.ann), "--img-dir", str(data.images)]
    return run_tool("quantize", [str(model), *files, "--out", str(out), *options])


def drawn(data: SmallSet, count: int = HELD_OUT + 32, seed: int = 0) -> np.ndarray:
    return draw_patches(data.records * 30, ImageFolder(data.images, data.document["images"]), *CUT, count, seed)


def test_masks_stay_and_the_graph_is_in_int8(exported: Path, small_set: SmallSet, tmp_path: Path) -> None:
    out, patches = tmp_path / "int8.onnx", drawn(small_set)
    in_int8, _ = quantize_onnx(exported, patches, out, {})
    batch = PatchBatch(patches, np.zeros((len(patches), 4), np.int32), [])
    expected, got = (OnnxPredictor(path).predict(batch) for path in (exported, out))
    assert 0.1 < (expected > 0.5).mean() < 0.9
    assert in_int8 == "1 of 3"
    assert 0 < np.abs(got - expected).max() < 0.1
    assert ((got > 0.5) != (expected > 0.5)).mean() < 0.005
    weights = [tensor for tensor in onnx.load(out).graph.initializer if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) == 4]
    assert [list(tensor.dims) for tensor in weights] == [[16, 16, 3, 3]]


def test_the_file_tells_what_it_was_made_of(exported: Path, small_set: SmallSet, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    small_set.results = small_set.write("many.json", small_set.records * 30)
    assert quantize(exported, small_set, tmp_path / "int8.onnx", "--patches", "20", "--seed", "3") == 0
    assert "1 of 3 convolutions in int8\ncalibrated on 20 patches" in capsys.readouterr().out
    before, after = OnnxPredictor(exported).metadata, OnnxPredictor(tmp_path / "int8.onnx").metadata
    note = after["provenance"].pop("quantized")
    assert after == before
    assert note["convolutions"] == "1 of 3"
    assert note["calibration"]["model_sha256"] == sha256_of(exported)
    assert note["calibration"]["results"] == "many.json"
    assert (note["calibration"]["patches"], note["calibration"]["seed"]) == (20, 3)
    assert note["calibration"]["versions"]["onnxruntime"]


def test_openvino_runs_the_file_unchanged(exported: Path, small_set: SmallSet, tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino")
    patches = drawn(small_set)
    quantize_onnx(exported, patches, tmp_path / "int8.onnx", {})
    compiled = openvino.Core().compile_model(str(tmp_path / "int8.onnx"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    expected = OnnxPredictor(exported).predict(PatchBatch(patches, np.zeros((len(patches), 4), np.int32), []))
    assert ((compiled({"patches": patches})["probability"] > 0.5) != (expected > 0.5)).mean() < 0.005


def test_the_draw_depends_on_the_seed_alone(small_set: SmallSet) -> None:
    assert np.array_equal(drawn(small_set), drawn(small_set))
    assert not np.array_equal(drawn(small_set), drawn(small_set, seed=1))


def test_what_cannot_be_refined_is_passed_over(small_set: SmallSet) -> None:
    images = ImageFolder(small_set.images, small_set.document["images"])
    broken = [{**small_set.records[0], "segmentation": {"size": [1, 1], "counts": "?"}}, {**small_set.records[0], "image_id": 99}]
    assert len(draw_patches([*broken, small_set.records[0]], images, *CUT, 3)) == 3
    with pytest.raises(BPRError, match=r"got none from 2 records; check --img-dir"):
        draw_patches(broken, images, *CUT, 3)


def test_errors_are_one_line_and_leave_no_file(exported: Path, small_set: SmallSet, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    plain, out = tmp_path / "plain.onnx", tmp_path / "int8.onnx"
    model = onnx.load(exported)
    del model.metadata_props[:]
    onnx.save(model, plain)
    assert quantize(plain, small_set, out) == 1
    assert "plain.onnx: an ONNX file without BPR's metadata; expected one written by bpr export" in capsys.readouterr().err
    assert quantize(exported, small_set, out) == 1
    assert f"expected more than {HELD_OUT} patches, got 16; give more detections" in capsys.readouterr().err
    small_set.results = small_set.write("none.json", [])
    assert quantize(exported, small_set, out) == 1
    assert "expected detections that give patches, got none from 0 records" in capsys.readouterr().err
    assert not out.exists()


def test_an_int8_file_is_not_quantized_again(exported: Path, small_set: SmallSet, tmp_path: Path) -> None:
    quantize_onnx(exported, drawn(small_set), tmp_path / "int8.onnx", {})
    with pytest.raises(BPRError, match=r"expected a model in float, got one in int8"):
        quantize_onnx(tmp_path / "int8.onnx", drawn(small_set), tmp_path / "again.onnx", {})


def test_ranges_that_do_not_fit_are_refused(exported: Path, small_set: SmallSet, tmp_path: Path) -> None:
    patches = drawn(small_set)
    patches[:-HELD_OUT] = 127
    with pytest.raises(BPRError, match=r"not written: expected at most 1% of pixels to change sides"):
        quantize_onnx(exported, patches, tmp_path / "int8.onnx", {})
    assert not (tmp_path / "int8.onnx").exists()


def test_a_network_without_inner_convolutions_is_refused(small_set: SmallSet, tmp_path: Path) -> None:
    export_onnx(ThreeConvolutions(hidden=0), *CUT, tmp_path / "two.onnx", {})
    with pytest.raises(BPRError, match=r"two\.onnx: expected convolutions between its first and its last, got none"):
        quantize_onnx(tmp_path / "two.onnx", drawn(small_set), tmp_path / "int8.onnx", {})


def test_a_relu6_becomes_part_of_the_rounding(small_set: SmallSet, tmp_path: Path) -> None:
    model, out = tmp_path / "model.onnx", tmp_path / "int8.onnx"
    export_onnx(SixAtMost(), *CUT, model, {"config": "toy.py", "trained_on": "nothing"})
    quantize_onnx(model, drawn(small_set), out, {})
    graphs = [onnx.load(str(path)).graph for path in (model, out)]
    assert [sum(node.op_type == "Clip" for node in graph.node) for graph in graphs] == [1, 0]


def test_patches_of_a_turned_photo_are_those_of_the_upright_one(small_set: SmallSet) -> None:
    upright = drawn(small_set, 20)
    for image in small_set.document["images"]:
        file = small_set.images / image["file_name"]
        image["file_name"] = f"{image['id']}.jpg"
        turned_photo(small_set.images / image["file_name"], cv2.imread(str(file)))
    turned = drawn(small_set, 20)
    assert np.array_equal(turned[..., 3], upright[..., 3])
    assert np.abs(turned[..., :3].astype(int) - upright[..., :3]).mean() < 30, "but for JPEG"
