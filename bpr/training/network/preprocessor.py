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

from bpr.geometry.scheme import INPUT_CHANNELS
from bpr.training.registry import MODELS

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)
CENTRE_AND_SPREAD = {"mask": (127.5, 127.5), "evidence": (128.0, 127.0)}


@MODELS.register_module()
class PatchPreprocessor(BaseDataPreprocessor):
    """Resize to the input side and normalise: RGB with ImageNet's constants, mask and colour evidence to [-1, 1].

    RGB and evidence are resized bilinearly, mask and ground truth to the nearest pixel.

    Args:
        input_side: N; patches of another side are resized to it.
        inputs: the scheme's inputs, in channel order.
    """

    def __init__(self, input_side: int, inputs: Sequence[str] = ("rgb", "mask")) -> None:
        super().__init__(non_blocking=True)
        self.input_side, self.inputs = input_side, tuple(inputs)
        constants = [*zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)]
        constants += [CENTRE_AND_SPREAD[name] for name in self.inputs[1:]]
        mean, std = torch.tensor(constants).T
        self.register_buffer("mean", mean.view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", std.view(1, -1, 1, 1), persistent=False)

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """``inputs`` (B, C, S, S) uint8 and, in training, ``truth`` (B, S, S) uint8 -> MMSegmentation's batch, side N."""
        data = self.cast_data(data)
        samples = None
        if "truth" in data:
            truth = self._nearest(data["truth"][:, None]).long()
            samples = [
                SegDataSample(metainfo={"img_shape": one.shape[1:]}, gt_sem_seg=PixelData(data=one)) for one in truth
            ]
        return {"inputs": self.normalise(data["inputs"]), "data_samples": samples}

    def normalise(self, patches: torch.Tensor) -> torch.Tensor:
        """(B, C, S, S) uint8 -> (B, C, N, N) float32."""
        patches = patches.float()
        if patches.shape[-1] != self.input_side:
            parts = patches.split([INPUT_CHANNELS[name] for name in self.inputs], dim=1)
            resized = [self._resize(part, name) for part, name in zip(parts, self.inputs, strict=True)]
            patches = torch.cat(resized, dim=1)
        return ((patches - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def _resize(self, part: torch.Tensor, name: str) -> torch.Tensor:
        if name == "mask":
            return self._nearest(part)
        return F.interpolate(part, (self.input_side, self.input_side), mode="bilinear", align_corners=False)

    def _nearest(self, part: torch.Tensor) -> torch.Tensor:
        if part.shape[-1] == self.input_side:
            return part
        resized = F.interpolate(part.float(), (self.input_side, self.input_side), mode="nearest")
        return resized.to(part.dtype)
