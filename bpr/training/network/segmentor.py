"""The refinement network: any backbone and head of MMSegmentation, with a mask stem.

Legend: K patches, S window side, C channels.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmengine.utils import import_modules_from_strings
from mmseg.models.segmentors import EncoderDecoder

from bpr.configs import find_config
from bpr.geometry.channels import CHANNELS
from bpr.training.checkpoints import load_into, read_state_dict
from bpr.training.network.mask_stem import add_mask_stem
from bpr.training.network.pretrained import load_pretrained
from bpr.training.registry import MODELS

# MMSegmentation's advice on options that our configs choose: six lines at every start.
warnings.filterwarnings("ignore", category=UserWarning, module=r"mmseg\.")


@MODELS.register_module()
class PatchSegmentor(EncoderDecoder):
    """MMSegmentation's encoder-decoder over RGB, mask and the further channels that the preprocessor's ``inputs`` name.

    Training is MMSegmentation's; refining needs only :meth:`probabilities`.

    Args:
        pretrained: the backbone's weights at the start of a training: a name of the OpenMMLab zoo
            (``open-mmlab://...``, ``mmcls://...``), a URL, or a ``.pth`` or ``.npz`` file; None: random weights.
    """

    def __init__(self, pretrained: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pretrained = pretrained
        add_mask_stem(self.backbone, sum(CHANNELS[name].width for name in self.data_preprocessor.inputs[1:]))
        self.to(memory_format=torch.channels_last)

    def init_weights(self) -> None:
        super().init_weights()
        if self.pretrained:
            load_pretrained(self.backbone, self.pretrained)

    def _dump_init_info(self) -> None:
        """MMEngine would log how every single parameter was initialised."""

    def extract_feat(self, inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The backbone's features and, last, the inputs, which :class:`DetailHead` reads."""
        return *super().extract_feat(inputs), inputs

    def probabilities(self, patches: torch.Tensor) -> torch.Tensor:
        """(K, S, S, C) uint8 patches -> (K, S, S) float32 probabilities of foreground.

        Logits are resized to the input side and then to the window side before the softmax [authors' code].
        """
        inputs = self.data_preprocessor.normalise(patches.permute(0, 3, 1, 2))
        logits = self.encode_decode(inputs, [{"img_shape": inputs.shape[2:]}]).float()
        side = patches.shape[1]
        if logits.shape[-1] != side:
            logits = F.interpolate(logits, (side, side), mode="bilinear", align_corners=False)
        return torch.sigmoid(logits[:, 1] - logits[:, 0])


def read_config(config: str | Path) -> Config:
    """A config of :func:`bpr.configs.find_config`, with its custom modules imported.

    Configs that earlier versions wrote next to their checkpoints still load. Modules of BPR that they import may have
    moved, so none is imported by name (the registries find them), and ``refinement.patch`` was called ``scheme``.

    Raises:
        BPRError: there is no such config.
    """
    cfg = Config.fromfile(find_config(config), import_custom_modules=False)
    custom = cfg.get("custom_imports") or {}
    imports = custom.get("imports", [])
    modules = [name for name in ([imports] if isinstance(imports, str) else imports) if not name.startswith("bpr.")]
    import_modules_from_strings(modules, custom.get("allow_failed_imports", False))
    refinement = cfg.get("refinement", {})
    if "scheme" in refinement:
        refinement.patch = refinement.pop("scheme")
    return cfg


def build_segmentor(config: str | Path) -> tuple[Config, PatchSegmentor]:
    """The config and its network as it was initialised.

    Raises:
        BPRError: there is no such config.
    """
    cfg = read_config(config)
    return cfg, build_network(cfg.model, cfg.get("default_scope", "mmseg"))


def build_network(model: ConfigDict, scope: str = "mmseg") -> PatchSegmentor:
    """The network of a config's ``model`` as it was initialised; ``scope`` is that of types without one."""
    init_default_scope(scope)
    return MODELS.build(model)


def load_segmentor(config: str | Path, checkpoint: str | Path) -> tuple[Config, PatchSegmentor]:
    """The config and its network in eval mode, with the checkpoint's weights (the averaged ones, where it has them).

    Raises:
        BPRError: a file is missing, the checkpoint is not plain, or its tensors do not fit the config.
    """
    state = read_state_dict(checkpoint)
    cfg, model = build_segmentor(config)
    load_into(model, state, f"{checkpoint}: does not fit {config}")
    return cfg, model.eval()
