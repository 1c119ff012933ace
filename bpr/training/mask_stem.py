"""The coarse mask's own way into a backbone made for RGB (authors' code: ``backbone.conv_mask``).

A bias-free convolution of the further channels is ADDED to the backbone's first convolution before its norm: the
algebra of one stem with more input channels, whose RGB part can keep pretrained weights and its state-dict name.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class StemConv2d(nn.Conv2d):
    """A backbone's first convolution that sends the channels beyond its own to another convolution and adds both."""

    mask: tuple[nn.Conv2d]  # in a tuple, so that the weights belong to the backbone alone

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x[:, : self.in_channels]) + self.mask[0](x[:, self.in_channels :])


def add_mask_stem(backbone: nn.Module, extra_channels: int) -> None:
    """Give ``backbone`` a ``conv_mask`` for ``extra_channels`` (mask, evidence, ...) beside its first convolution.

    Both are of the first convolution's own class, so padding of another kind (MobileNetV3's) is that of both. Without
    further channels the backbone stays as it is.
    """
    if not extra_channels:
        return
    first = next(module for module in backbone.modules() if isinstance(module, nn.Conv2d))
    kind = type(first)
    backbone.conv_mask = kind(extra_channels, first.out_channels, **_geometry(first), bias=False)
    nn.init.kaiming_normal_(backbone.conv_mask.weight, mode="fan_out", nonlinearity="relu")
    first.mask = (backbone.conv_mask,)
    # MMEngine's initialisers look for "Conv2d" among the direct bases, hence the third.
    first.__class__ = type(f"Stem{kind.__name__}", tuple(dict.fromkeys((StemConv2d, kind, nn.Conv2d))), {})


def _geometry(conv: nn.Conv2d) -> dict[str, Any]:
    return {name: getattr(conv, name) for name in ("kernel_size", "stride", "padding", "dilation")}
