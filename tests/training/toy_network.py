"""A backbone of three convolutions, so that a training or an export that a test needs takes seconds."""

from __future__ import annotations

from typing import Any

import torch
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule

from bpr.training.registry import MODELS


@MODELS.register_module()
class ToyBackbone(BaseModule):
    """Returns the features of stride 2 and of stride 4."""

    def __init__(self, norm_cfg: dict[str, Any]) -> None:
        super().__init__()
        same: dict[str, Any] = {"kernel_size": 3, "padding": 1, "norm_cfg": norm_cfg}
        self.fine = torch.nn.Sequential(ConvModule(3, 16, stride=2, **same), ConvModule(16, 16, **same))
        self.deep = ConvModule(16, 16, stride=2, **same)

    def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        fine = self.fine(inputs)
        return fine, self.deep(fine)
