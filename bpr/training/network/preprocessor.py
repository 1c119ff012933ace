"""uint8 patches -> the network's input. Training, refining and the exported file use the same code.

Legend: B batch, S window side of the patch, N input side of the network, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseDataPreprocessor
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from bpr.geometry.channels import CHANNELS
from bpr.training.registry import MODELS


@MODELS.register_module()
class PatchPreprocessor(BaseDataPreprocessor):
    """Resizes patches to the input side and normalises them, by the rows of :data:`~bpr.geometry.channels.CHANNELS`.

    Ground truth is resized to the nearest pixel.

    Args:
        input_side: N; patches of another side are resized to it.
        inputs: names of the channels, in order.
    """

    def __init__(self, input_side: int, inputs: Sequence[str] = ("rgb", "mask")) -> None:
        super().__init__(non_blocking=True)
        self.input_side, self.inputs = input_side, tuple(inputs)
        channels = [CHANNELS[name] for name in self.inputs]
        mean = torch.tensor([value for channel in channels for value in channel.centre])
        std = torch.tensor([value for channel in channels for value in channel.spread])
        self.register_buffer("mean", mean.view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", std.view(1, -1, 1, 1), persistent=False)

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """``inputs`` (B, C, S, S) uint8 and, in training, ``truth`` (B, S, S) uint8 -> a batch of MMSegmentation."""
        data = self.cast_data(data)
        samples = None
        if "truth" in data:
            truth = self._nearest(data["truth"][:, None]).long()
            meta = {"img_shape": truth.shape[2:]}
            samples = [SegDataSample(metainfo=meta, gt_sem_seg=PixelData(data=one)) for one in truth]
        return {"inputs": self.normalise(data["inputs"]), "data_samples": samples}

    def normalise(self, patches: torch.Tensor) -> torch.Tensor:
        """(B, C, S, S) uint8 -> (B, C, N, N) float32."""
        patches = patches.float()
        if patches.shape[-1] != self.input_side:
            parts = patches.split([CHANNELS[name].width for name in self.inputs], dim=1)
            resized = [self._resize(part, name) for part, name in zip(parts, self.inputs, strict=True)]
            patches = torch.cat(resized, dim=1)
        return ((patches - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def _resize(self, part: torch.Tensor, name: str) -> torch.Tensor:
        if CHANNELS[name].resized == "nearest":
            return self._nearest(part)
        return F.interpolate(part, (self.input_side, self.input_side), mode="bilinear", align_corners=False)

    def _nearest(self, part: torch.Tensor) -> torch.Tensor:
        if part.shape[-1] == self.input_side:
            return part
        resized = F.interpolate(part.float(), (self.input_side, self.input_side), mode="nearest")
        return resized.to(part.dtype)
