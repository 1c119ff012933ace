"""Config and checkpoint -> a network ready to refine or to export."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config
from mmengine.registry import init_default_scope

from bpr.configs import find_config
from bpr.training.patch_segmentor import PatchSegmentor
from bpr.training.registry import MODELS
from bpr.training.state_dict import fill, read_state_dict


def load_segmentor(config: str | Path, checkpoint: str | Path) -> tuple[Config, PatchSegmentor]:
    """The config and its network in eval mode with the checkpoint's weights (the averaged ones, where training kept them).

    Raises:
        BPRError: a file is missing, the checkpoint is not plain, or its tensors do not fit the config.
    """
    state, (cfg, model) = read_state_dict(checkpoint), build_segmentor(config)
    fill(model, state, f"{checkpoint}: does not fit {config}")
    return cfg, model.eval()


def build_segmentor(config: str | Path) -> tuple[Config, PatchSegmentor]:
    """The config and its network as it was initialised.

    Raises:
        BPRError: there is no such config.
    """
    cfg = Config.fromfile(find_config(config))
    init_default_scope(cfg.get("default_scope", "mmseg"))
    return cfg, MODELS.build(cfg.model)
