"""From a config to MMEngine's runner, on GPUs or on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config, DictAction
from mmengine.runner import Runner


def build_runner(
    config: str | Path,
    work_dir: str | None = None,
    options: Sequence[str] = (),
    resume: str | None = None,
    amp: bool = False,
    launcher: str = "none",
) -> Runner:
    """The runner of a config file.

    Args:
        work_dir: where logs and checkpoints go; by default ``work_dirs/<config stem>``.
        options: ``key=value`` overrides.
        resume: a checkpoint, or ``auto`` for the newest in the work directory.
        amp: forward in bfloat16.
        launcher: MMEngine's; on a machine without a GPU the processes talk through gloo.
    """
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(_parse(options))
    cfg.launcher = launcher
    cfg.work_dir = work_dir or cfg.get("work_dir") or str(Path("work_dirs") / Path(config).stem)
    if amp:
        cfg.optim_wrapper.type = "bpr.Bf16OptimWrapper"
    if resume:
        cfg.resume = True
        cfg.load_from = None if resume == "auto" else resume
    if launcher != "none" and not torch.cuda.is_available():
        torch.distributed.init_process_group("gloo")
        cfg.model_wrapper_cfg = {"type": "MMDistributedDataParallel", "device_ids": None}
    return Runner.from_cfg(cfg)


def _parse(options: Sequence[str]) -> dict[str, object]:
    return {key: DictAction._parse_iterable(value) for key, value in (option.split("=", 1) for option in options)}
