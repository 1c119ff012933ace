"""The head that sees the input: what it says at first, what it can learn that an FCN head cannot, and its exported form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import onnxruntime
import torch

from bpr.geometry.options import PatchSpec, RefineOptions
from bpr.training.export.from_onnx import exported_state_dict
from bpr.training.export.to_onnx import export_onnx
from bpr.training.network import PatchSegmentor, build_segmentor
from bpr.training.network.detail_head import DetailHead

CONFIG = "bpr_mobilenet-v2-detail_1xb32-6000_any-mask-64x64.py"
PLAIN = "bpr_mobilenet-v2_1xb32-320_starter-64x64.py"


def network(config: str = CONFIG) -> PatchSegmentor:
    torch.manual_seed(0)
    model = build_segmentor(config)[1]
    model.pretrained = None
    model.init_weights()
    return model.eval()


def patches(count: int = 2) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (count, 64, 64, 5), dtype=np.uint8))


def test_the_weights_of_an_fcn_head_say_at_first_what_they_said_there() -> None:
    plain, model = network(PLAIN), network()
    lacking = model.load_state_dict(plain.state_dict(), strict=False)
    assert not lacking.unexpected_keys
    with torch.inference_mode():
        assert torch.allclose(model.probabilities(patches()), plain.probabilities(patches()), atol=1e-5)


def test_the_branch_reaches_every_pixel_by_itself() -> None:
    """Two inputs that differ in one pixel of the mask may differ in that pixel's logits alone as much as anywhere."""
    model = network()
    with torch.no_grad():
        torch.nn.init.normal_(model.decode_head.conv_detail.weight)
    first = patches(1)
    second = first.clone()
    second[0, 30, 31, 3] = 255 - second[0, 30, 31, 3]
    with torch.inference_mode():
        change = (model.probabilities(first) - model.probabilities(second)).abs()[0]
    assert change[30, 31] > 0
    assert change[30:32, 30:32].mean() > 2 * change.mean()


def test_it_learns_to_return_the_mask_as_it_came() -> None:
    """An FCN head of stride 4 cannot: single pixels are lost."""
    torch.manual_seed(0)
    head = network().decode_head.train()
    assert isinstance(head, DetailHead)
    optimizer = torch.optim.Adam(head.parameters(), 0.02)
    rng = np.random.default_rng(0)
    for _ in range(60):
        inputs = torch.from_numpy(rng.choice([-1.0, 1.0], (4, 5, 16, 16)).astype(np.float32))
        sides = (8, 16), (4, 24), (2, 32), (1, 96), (1, 320)
        features = [torch.zeros(4, channels, side, side) for side, channels in sides]
        logits = head([*features, inputs])
        assert logits.shape == (4, 2, 16, 16)
        loss = torch.nn.functional.cross_entropy(logits, (inputs[:, 3] > 0).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float((logits.argmax(1) == (inputs[:, 3] > 0)).float().mean()) > 0.99


def test_it_is_exported_and_its_weights_come_back(tmp_path: Path) -> None:
    model = network()
    with torch.no_grad():
        torch.nn.init.normal_(model.decode_head.conv_detail.weight, std=0.1)
        for bias in (model.decode_head.conv_detail.bias, model.decode_head.conv_seg.bias):
            torch.nn.init.normal_(bias, std=0.1)
        for norm in (module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)):
            torch.nn.init.uniform_(norm.weight, 0.8, 1.2)
            torch.nn.init.uniform_(norm.running_var, 0.8, 1.2)
            for shifted in (norm.bias, norm.running_mean):
                torch.nn.init.normal_(shifted, std=0.1)
    spec = PatchSpec(side=64, padding=0, inputs=("rgb", "mask", "evidence"))
    out = tmp_path / "model.onnx"
    assert export_onnx(model, spec, RefineOptions(), out, {}).graph < 1e-5
    given = patches(3)
    with torch.inference_mode():
        expected = model.probabilities(given).numpy()
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    said = session.run(None, {"patches": given.numpy()})[0]
    assert np.abs(said - expected).max() < 0.05  # weights are stored in half precision
    again = network()
    lacking, unknown = again.load_state_dict(exported_state_dict(out, again), strict=False)
    assert not [name for name in lacking if not name.endswith("num_batches_tracked")]
    assert not unknown
    with torch.inference_mode():
        assert np.abs(said - again.probabilities(given).numpy()).max() < 1e-4
