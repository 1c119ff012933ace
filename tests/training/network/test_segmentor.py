"""Configs and checkpoints of earlier versions and of users load."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from bpr.training.checkpoints import write_state_dict
from bpr.training.network.segmentor import build_segmentor, read_config
from bpr.training.torch_predictor import MMSegPredictor
from tests.conftest import ROOT

CONFIG = ROOT / "configs" / "bpr_mobilenet-v2_2xb16-1200_starter-64x64.py"


def test_a_checkpoint_of_an_earlier_version_loads_with_the_config_beside_it(tmp_path: Path) -> None:
    """0.2.0 dumped configs that import modules by their old places, and called the patches a scheme."""
    cfg, model = build_segmentor(CONFIG)
    cfg.custom_imports = {"imports": ["bpr.models", "bpr.datasets.patch_dataset"], "allow_failed_imports": False}
    cfg.refinement.scheme = cfg.refinement.pop("patch")
    cfg.refinement.test.withdrawn = 4
    cfg.dump(tmp_path / "config.py")
    write_state_dict(tmp_path / "iter_2.pth", model.state_dict(), {})
    predictor = MMSegPredictor(tmp_path / "iter_2.pth")
    assert (predictor.spec.side, predictor.spec.inputs) == (64, ("rgb", "mask", "evidence"))
    assert predictor.recommended.blend == "centred"
    assert torch.equal(predictor.model.backbone.conv_mask.weight, model.backbone.conv_mask.weight)


def test_a_users_modules_are_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_backbone.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    config = tmp_path / "config.py"
    config.write_text("custom_imports = dict(imports=['bpr.training.registry', 'my_backbone'])\n")
    read_config(config)
    assert "my_backbone" in sys.modules
    config.write_text("custom_imports = dict(imports='no_such_module')\n")
    with pytest.raises(ImportError, match="no_such_module"):
        read_config(config)
