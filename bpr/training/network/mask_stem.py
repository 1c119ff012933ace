"""The input of the coarse mask into a backbone made for RGB (authors' code: ``backbone.conv_mask``).

A bias-free convolution of the further channels is ADDED to the backbone's first convolution, before its norm. That is
the algebra of one stem with more input channels, and its RGB part keeps its pretrained weights and its name.
"""

from __future__ import annotations

import torch
from torch import nn


class StemConv2d(nn.Conv2d):
    """Takes the place of a backbone's first convolution: the RGB channels go through it, the others through ``extra``.

    It computes as ``first`` did, also where that pads in another way (MobileNetV3's does).

    Args:
        first: the convolution to replace; its weights are taken over.
        extra: the convolution of the further channels.
    """

    def __init__(self, first: nn.Conv2d, extra: nn.Conv2d) -> None:
        # Created without memory: the weights are those of the convolution that it replaces.
        super().__init__(first.in_channels, first.out_channels, first.kernel_size, bias=False, device="meta")
        self.weight, self.bias = first.weight, first.bias
        vars(self).update({name: value for name, value in vars(first).items() if not name.startswith("_")})
        self._convolve = type(first).forward
        self._extra = (extra,)  # in a tuple, so that the weights are registered in the backbone alone

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._convolve(self, x[:, : self.in_channels]) + self._extra[0](x[:, self.in_channels :])


def add_mask_stem(backbone: nn.Module, extra_channels: int) -> None:
    """Give ``backbone`` a ``conv_mask`` for ``extra_channels`` (mask, evidence, ...) next to its first convolution.

    ``conv_mask`` is of the first convolution's class, so both pad alike. Without extra channels, nothing changes.
    """
    if not extra_channels:
        return
    name, first = next((name, module) for name, module in backbone.named_modules() if isinstance(module, nn.Conv2d))
    shape = {name: getattr(first, name) for name in ("kernel_size", "stride", "padding", "dilation")}
    backbone.conv_mask = type(first)(extra_channels, first.out_channels, **shape, bias=False)
    nn.init.kaiming_normal_(backbone.conv_mask.weight, mode="fan_out", nonlinearity="relu")
    parent, _, attribute = name.rpartition(".")
    setattr(backbone.get_submodule(parent), attribute, StemConv2d(first, backbone.conv_mask))

