"""The authors' released weights, in the layout and under the names of their files, become a checkpoint of ours."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from bpr.backends import named_models
from bpr.backends.onnx_runtime import OnnxPredictor
from bpr.refinement.predictor import PatchBatch
from bpr.training.checkpoints import read_state_dict
from bpr.training.network.segmentor import build_segmentor, load_segmentor
from bpr.training.torch_predictor import MMSegPredictor
from tests.conftest import ROOT
from tests.scripts import run_tool

CONFIG = str(ROOT / "configs" / "bpr_hrnet-w18s_4xb8-160k_cityscapes-128x128.py")
STARTER = str(ROOT / "configs" / "bpr_mobilenet-v2-detail_1xb32-2800_any-mask-128x128.py")

AUTHORS = {
    "backbone.conv1.weight": (64, 3, 3, 3),
    "backbone.conv_mask.weight": (64, 1, 3, 3),
    "backbone.bn1.running_mean": (64,),
    "backbone.conv2.weight": (64, 64, 3, 3),
    "backbone.bn2.weight": (64,),
    "backbone.layer1.0.conv1.weight": (64, 64, 1, 1),
    "backbone.layer1.0.downsample.0.weight": (256, 64, 1, 1),
    "backbone.layer1.1.bn3.bias": (256,),
    "backbone.transition1.0.0.weight": (18, 256, 3, 3),
    "backbone.transition1.1.0.0.weight": (36, 256, 3, 3),
    "backbone.stage2.0.branches.1.1.conv2.weight": (36, 36, 3, 3),
    "backbone.stage2.0.fuse_layers.0.1.0.weight": (18, 36, 1, 1),
    "backbone.transition2.2.0.0.weight": (72, 36, 3, 3),
    "backbone.stage3.2.branches.2.1.bn2.running_var": (72,),
    "backbone.transition3.3.0.0.weight": (144, 72, 3, 3),
    "backbone.stage4.1.branches.3.1.conv1.weight": (144, 144, 3, 3),
    "backbone.stage4.1.fuse_layers.3.0.2.0.weight": (144, 18, 3, 3),
    "decode_head.convs.0.conv.weight": (270, 270, 1, 1),
    "decode_head.convs.0.bn.weight": (270,),
    "decode_head.conv_seg.weight": (2, 270, 1, 1),
    "decode_head.conv_seg.bias": (2,),
}
"""Written from the published HRNetV2-W18-small and METHOD's list of names, not from our model."""

State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def released() -> State:
    """Random weights under the authors' names: theirs as written above, the others as our network has them."""
    torch.manual_seed(3)
    state = {name: torch.rand_like(tensor.float()) for name, tensor in build_segmentor(CONFIG)[1].state_dict().items() if "num" not in name}
    return state | {name: torch.rand(shape) for name, shape in AUTHORS.items()}


@pytest.fixture
def convert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Save a state dict as the authors' tools did, convert it; exit code, report, error."""

    def run(state: State, *options: str, meta: object = None, legacy: bool = False) -> tuple[int, str, str]:
        torch.save({"meta": meta, "state_dict": state}, tmp_path / "released.pth", _use_new_zipfile_serialization=not legacy)
        code = run_tool("convert_checkpoint", [CONFIG, str(tmp_path / "released.pth"), "--out", str(tmp_path / "ours.pth"), *options])
        return code, *capsys.readouterr()

    return run


META = {"mmcv_version": "1.2.1", "CLASSES": ("bg", "fg"), "hook_msgs": {"best_score": np.float64(0.93)}, "seed": np.array([1, 2])}


@pytest.mark.parametrize("legacy", [False, True])
def test_the_released_layout_converts_whole(released: State, convert: Callable, tmp_path: Path, legacy: bool) -> None:
    """Notes hold numpy scalars, norms come without counters, and torch of those days wrote another container."""
    code, report, error = convert(released, meta=META, legacy=legacy)
    assert (code, error) == (0, "")
    expected = [f"matched: {len(released)}", "missing in the file: 0", "unexpected in the file: 0", "of another shape: 0"]
    assert report.splitlines()[:4] == expected
    _, model = load_segmentor(CONFIG, tmp_path / "ours.pth")
    ours = model.state_dict()
    assert all(torch.equal(ours[name], tensor) for name, tensor in released.items())
    assert torch.load(tmp_path / "ours.pth", weights_only=True)["meta"]["converted_from"] == "released.pth"


def test_the_mask_stem_is_one_stem_of_four_channels(released: State, convert: Callable, tmp_path: Path) -> None:
    assert convert(released)[0] == 0
    backbone = load_segmentor(CONFIG, tmp_path / "ours.pth")[1].backbone
    together = torch.cat([released["backbone.conv1.weight"], released["backbone.conv_mask.weight"]], dim=1)
    x = torch.randn(2, 4, 32, 32)
    with torch.inference_mode():
        expected = torch.nn.functional.conv2d(x, together, stride=2, padding=1)
        assert torch.allclose(backbone.conv1(x), expected, atol=1e-5)


def test_the_prefix_of_a_distributed_training_goes(released: State, convert: Callable) -> None:
    code, report, _ = convert({f"module.{name}": tensor for name, tensor in released.items()})
    assert code == 0
    assert f"matched: {len(released)}\n" in report


def test_what_does_not_fit_is_named_and_nothing_is_written(released: State, convert: Callable, tmp_path: Path) -> None:
    state = released | {"decode_head.conv_seg.weight": torch.zeros(19, 270, 1, 1), "auxiliary_head.conv_seg.bias": torch.zeros(19)}
    del state["backbone.conv_mask.weight"]
    code, report, error = convert(state)
    assert code == 1
    assert "missing in the file: 1: backbone.conv_mask.weight\n" in report
    assert "unexpected in the file: 1: auxiliary_head.conv_seg.bias\n" in report
    assert "of another shape: 1: decode_head.conv_seg.weight (19, 270, 1, 1) instead of (2, 270, 1, 1)\n" in report
    assert "nothing written" in error
    assert not (tmp_path / "ours.pth").exists()
    assert convert(state, "--partial")[0] == 0
    assert read_state_dict(tmp_path / "ours.pth").keys() >= released.keys() - {"backbone.conv_mask.weight", "decode_head.conv_seg.weight"}


class Malicious:
    """What a file may ask its reader to run."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("function", [os.mkdir, print])
def test_a_file_that_asks_for_code_is_refused_and_runs_nothing(
    released: State, convert: Callable, tmp_path: Path, function: Callable[..., object]
) -> None:
    target = tmp_path / "executed"
    code, report, error = convert(released, meta=Malicious(function, str(target)))
    assert (code, report, len(error.splitlines())) == (1, "", 1)
    assert "which was not done" in error
    assert not target.exists()
    assert not (tmp_path / "ours.pth").exists()


def test_what_stands_for_an_old_note_runs_nothing_either(released: State, convert: Callable) -> None:
    """``getattr`` is asked for by MMEngine's log; with a target of its own it would reach any function."""
    leads_on = Malicious(getattr, {}, "no such attribute: to look it up would fail")
    assert convert(released, meta=leads_on)[0] == 0


def test_the_log_of_another_mmengine_training_is_left_behind(tmp_path: Path) -> None:
    torch.save({"message_hub": {"loss": HistoryBuffer([1.0], [1])}, "state_dict": {"x": torch.ones(1)}}, tmp_path / "x.pth")
    assert read_state_dict(tmp_path / "x.pth") == {"x": torch.ones(1)}


@pytest.mark.parametrize("content", [[torch.ones(1)], {"state_dict": {"weight": "text"}}, {"state_dict": [1]}])
def test_a_file_without_tensors_by_name_is_refused(content: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(content, tmp_path / "x.pth")
    assert run_tool("convert_checkpoint", [CONFIG, str(tmp_path / "x.pth"), "--out", str(tmp_path / "y.pth")]) == 1
    assert "expected tensors by name" in capsys.readouterr().err


def test_an_exported_model_comes_back_as_a_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The norms that exporting folded away are there again: a stranger can train on from the starter model."""
    exported, out = named_models()["starter"], tmp_path / "starter.pth"
    assert run_tool("convert_checkpoint", [STARTER, str(exported), "--out", str(out)]) == 0
    assert "missing in the file: 0" in capsys.readouterr().out
    patches = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 5), dtype=np.uint8)
    batch = PatchBatch(patches, np.zeros((3, 4), np.int32), [])
    difference = MMSegPredictor(out, STARTER).predict(batch) - OnnxPredictor(exported).predict(batch)
    assert np.abs(difference).max() < 1e-4


def test_a_file_that_is_no_onnx_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model.onnx").write_text("no model")
    assert run_tool("convert_checkpoint", [STARTER, str(tmp_path / "model.onnx"), "--out", str(tmp_path / "x.pth")]) == 1
    assert "not an ONNX file" in capsys.readouterr().err
