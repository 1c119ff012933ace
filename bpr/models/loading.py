"""Config and checkpoint -> a network ready to refine or to export."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config
from mmengine.registry import init_default_scope

from bpr.errors import BPRError
from bpr.models.checkpoints import read_state_dict
from bpr.models.patch_segmentor import PatchSegmentor
from bpr.models.registry import MODELS


def load_segmentor(config: str | Path, checkpoint: str | Path) -> tuple[Config, PatchSegmentor]:
    """The config and its network in eval mode with the checkpoint's weights (the averaged ones, where training kept them).

    Raises:
        BPRError: a file is missing, the checkpoint is not plain, or its tensors do not fit the config.
    """
    for path in (config, checkpoint):
        if not Path(path).is_file():
            raise BPRError(f"{path}: no such file")
    cfg = Config.fromfile(config)
    init_default_scope(cfg.get("default_scope", "mmseg"))
    model = MODELS.build(cfg.model)
    try:
        model.load_state_dict(read_state_dict(checkpoint))
    except RuntimeError as error:
        raise BPRError(f"{checkpoint}: does not fit {config} ({' '.join(str(error).split())[:200]})") from error
    return cfg, model.eval()
