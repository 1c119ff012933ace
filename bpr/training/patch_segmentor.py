"""The refinement network: any MMSegmentation backbone and head, given a mask stem."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmseg.models.segmentors import EncoderDecoder

from bpr.geometry.channels import CHANNELS
from bpr.training.mask_stem import add_mask_stem
from bpr.training.pretrained import load_pretrained
from bpr.training.registry import MODELS


@MODELS.register_module()
class PatchSegmentor(EncoderDecoder):
    """MMSegmentation's encoder-decoder over RGB and mask (and what else the preprocessor's ``inputs`` name).

    Training is MMSegmentation's own; :meth:`probabilities` is all that refining needs.

    Args:
        pretrained: where the backbone's weights come from when training starts: a name of the OpenMMLab zoo
            (``open-mmlab://...``, ``mmcls://...``), an address, or a ``.pth`` or ``.npz`` file; None: random.
    """

    def __init__(self, pretrained: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pretrained = pretrained
        extra = sum(CHANNELS[name].width for name in self.data_preprocessor.inputs[1:])
        add_mask_stem(self.backbone, extra)
        self.to(memory_format=torch.channels_last)

    def init_weights(self) -> None:
        super().init_weights()
        if self.pretrained:
            load_pretrained(self.backbone, self.pretrained)

    def extract_feat(self, inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The backbone's features and, last, the inputs, for heads that read them (:class:`~bpr.training.detail_head.DetailHead`)."""
        return *super().extract_feat(inputs), inputs

    def probabilities(self, patches: torch.Tensor) -> torch.Tensor:
        """(K, S, S, C) uint8 patches -> (K, S, S) float32 P(foreground).

        Logits are resized to the input side and then to the window side before the softmax [C].
        """
        inputs = self.data_preprocessor.normalise(patches.permute(0, 3, 1, 2))
        logits = self.encode_decode(inputs, [{"img_shape": inputs.shape[2:]}]).float()
        side = patches.shape[1]
        if logits.shape[-1] != side:
            logits = F.interpolate(logits, (side, side), mode="bilinear", align_corners=False)
        return torch.sigmoid(logits[:, 1] - logits[:, 0])
