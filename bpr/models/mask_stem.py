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

    def __init__(self, rgb: nn.Conv2d, mask: nn.Conv2d) -> None:
        super().__init__(rgb.in_channels, rgb.out_channels, **_geometry(rgb), bias=rgb.bias is not None)
        self.load_state_dict(rgb.state_dict())
        self._mask = (mask,)  # in a tuple, so that the weights belong to the backbone alone

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x[:, : self.in_channels]) + self._mask[0](x[:, self.in_channels :])


def add_mask_stem(backbone: nn.Module, extra_channels: int) -> None:
    """Give ``backbone`` a ``conv_mask`` for ``extra_channels`` (mask, evidence, ...) beside its first convolution."""
    name, first = next((n, m) for n, m in backbone.named_modules() if isinstance(m, nn.Conv2d))
    backbone.conv_mask = nn.Conv2d(extra_channels, first.out_channels, **_geometry(first), bias=False)
    nn.init.kaiming_normal_(backbone.conv_mask.weight, mode="fan_out", nonlinearity="relu")
    owner, _, attribute = name.rpartition(".")
    setattr(backbone.get_submodule(owner), attribute, StemConv2d(first, backbone.conv_mask))


def _geometry(conv: nn.Conv2d) -> dict[str, Any]:
    return {"kernel_size": conv.kernel_size, "stride": conv.stride, "padding": conv.padding}
