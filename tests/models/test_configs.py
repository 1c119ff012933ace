"""Every config builds, and its network is the published one."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

import bpr.models  # noqa: F401
from bpr.geometry.scheme import PatchScheme
from bpr.models.patch_segmentor import PatchSegmentor
from bpr.models.registry import MODELS
from tests.conftest import ROOT

CONFIGS = sorted(path.name for path in (ROOT / "configs").glob("*.py"))


def load(name: str) -> tuple[Config, PatchSegmentor]:
    cfg = Config.fromfile(ROOT / "configs" / name)
    init_default_scope(cfg.default_scope)
    return cfg, MODELS.build(cfg.model)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_builds_and_agrees_with_itself(name: str) -> None:
    cfg, model = load(name)
    scheme = PatchScheme.from_refinement(cfg.refinement, "test")
    PatchScheme.from_refinement(cfg.refinement, "train")
    assert model.data_preprocessor.inputs == scheme.inputs
    assert f"-{model.data_preprocessor.input_side}x{model.data_preprocessor.input_side}" in name
    patches = torch.zeros(2, scheme.window, scheme.window, scheme.channels, dtype=torch.uint8)
    with torch.inference_mode():
        probabilities = model.eval().probabilities(patches)
    assert probabilities.shape == (2, scheme.window, scheme.window)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()


def test_hrnet_w18s_is_the_published_network() -> None:
    _, model = load("bpr_hrnet-w18s_4xb8-160k_cityscapes-128x128.py")
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 2) == 3.94
    names = set(model.state_dict())
    head = {f"decode_head.{name}.weight" for name in ("convs.0.conv", "convs.0.bn", "conv_seg")}
    assert {"backbone.conv1.weight", "backbone.conv_mask.weight"} | head <= names
    assert model.backbone.conv_mask.weight.shape == (64, 1, 3, 3)


@pytest.mark.parametrize("dataset", ["cityscapes", "coco"])
def test_the_papers_schedule(dataset: str) -> None:
    cfg, _ = load(f"bpr_hrnet-w18s_4xb8-160k_{dataset}-128x128.py")
    assert dict(cfg.optim_wrapper.optimizer) == {"type": "SGD", "lr": 0.01, "momentum": 0.9, "weight_decay": 0.0005}
    assert cfg.train_cfg.max_iters == cfg.param_scheduler[0].end == 160000
    assert cfg.param_scheduler[0].power == 0.9
    assert cfg.train_dataloader.batch_size == 8
    assert (cfg.refinement.train.nms_iou, cfg.refinement.test.nms_iou) == {"cityscapes": (0.25, 0.55), "coco": (0.15, 0.25)}[dataset]


def test_leaf_configs_are_short() -> None:
    for name in CONFIGS:
        lines = [line for line in (ROOT / "configs" / name).read_text().splitlines() if line.strip() and not line.startswith("#")]
        assert len(lines) <= 15, f"{name} has {len(lines)} lines of its own"
