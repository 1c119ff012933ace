"""A head that also reads the input: logits of stride 4, corrected at full resolution.

An FCN head decides on a grid of 4 px, so it cannot return a correct coarse mask unchanged. Here a small branch at
stride 2 reads the head's features, the backbone's finest ones and the input's own pixels, folded two by two, and adds
to the logits of every pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads import FCNHead
from torch import Tensor, nn

from bpr.training.registry import MODELS

FOLD = 2
"""Pixels of the input per cell of the branch, along each axis."""


@MODELS.register_module()
class DetailHead(FCNHead):
    """FCNHead over the coarse strides, and a branch that corrects its logits pixel by pixel.

    The output of the branch is zero at first: loaded weights of an FCNHead give the same logits as there.

    Args:
        detail_index: the backbone's features of stride 2, as ``in_index`` counts them.
        detail_channels: channels of those features.
        input_channels: channels of the network's input, which comes after the backbone's features.
        width: channels of the branch.
    """

    def __init__(
        self, detail_index: int, detail_channels: int, input_channels: int, width: int = 32, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.detail_index = detail_index
        layers = {"norm_cfg": self.norm_cfg, "act_cfg": self.act_cfg}
        self.reduce = ConvModule(self.channels, width, 1, **layers)
        self.mix = nn.Sequential(
            ConvModule(width + detail_channels + input_channels * FOLD**2, width, 1, **layers),
            ConvModule(width, width, 3, padding=1, **layers),
        )
        self.conv_detail = nn.Conv2d(width, self.out_channels * FOLD**2, 1)

    def init_weights(self) -> None:
        super().init_weights()
        nn.init.constant_(self.conv_detail.weight, 0)
        nn.init.constant_(self.conv_detail.bias, 0)  # type: ignore[arg-type]

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Features by stride and, last, the network's input (B, C, N, N) -> logits (B, classes, N, N); N is even."""
        coarse, detail, pixels = self._forward_feature(inputs), inputs[self.detail_index], inputs[-1]
        parts = [self._resized(self.reduce(coarse), detail), detail, F.pixel_unshuffle(pixels, FOLD).to(detail.dtype)]
        change = F.pixel_shuffle(self.conv_detail(self.mix(torch.cat(parts, dim=1))), FOLD)
        return self._resized(self.cls_seg(coarse), pixels) + change

    def _resized(self, features: Tensor, like: Tensor) -> Tensor:
        return F.interpolate(features, like.shape[2:], mode="bilinear", align_corners=self.align_corners)
