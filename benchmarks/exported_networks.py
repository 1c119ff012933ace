"""The networks of the package's models in torch, with the weights of their exported files."""

from __future__ import annotations

from pathlib import Path

from bpr.backends import model_file
from bpr.training.exported import exported_state_dict
from bpr.training.loading import build_segmentor
from bpr.training.patch_segmentor import PatchSegmentor

CONFIGS = {
    "hrnet-w18s": "bpr_hrnet-w18s_1xb32-1200_starter-128x128.py",
    "starter": "bpr_mobilenet-v2_2xb16-600_starter-128x128.py",
    "starter-fast": "bpr_mobilenet-v2_2xb16-1200_starter-64x64.py",
}
"""By model: what it was trained with."""


def exported_network(name: str) -> PatchSegmentor:
    """The network of a model, in eval mode, on the CPU."""
    model = build_segmentor(Path(__file__).parents[1] / "configs" / CONFIGS[name])[1].eval()
    model.load_state_dict(exported_state_dict(model_file(name), model))
    return model
