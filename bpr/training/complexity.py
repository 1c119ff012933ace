"""How large a network is, and how much it computes."""

from __future__ import annotations

import torch
from mmengine.analysis import FlopAnalyzer

from bpr.training.patch_segmentor import PatchSegmentor


def parameters(model: PatchSegmentor) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def multiply_adds(model: PatchSegmentor) -> int:
    """Of one patch at the network's input side, preprocessing left out, as MMEngine counts (norms and resizing included)."""
    side, channels = model.data_preprocessor.input_side, model.data_preprocessor.mean.shape[1]
    analyser = FlopAnalyzer(model.eval(), torch.zeros(1, channels, side, side))
    return int(analyser.unsupported_ops_warnings(False).uncalled_modules_warnings(False).total())
