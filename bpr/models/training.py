"""From a config to MMEngine's runner, on GPUs or on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from mmengine.config import Config, DictAction
from mmengine.runner import Runner, find_latest_checkpoint

from bpr.errors import BPRError
from bpr.models.launching import join_processes


def build_runner(
    config: str | Path,
    work_dir: str | None = None,
    options: Sequence[str] = (),
    resume: str | None = None,
    amp: Literal["bf16", "fp16"] | None = None,
    launcher: str = "none",
) -> Runner:
    """The runner of a config file.

    Args:
        work_dir: where logs and checkpoints go; by default ``work_dirs/<config stem>``.
        options: ``key=value`` overrides.
        resume: a checkpoint, or ``auto`` for the newest in the work directory, if there is one.
        amp: forward in bfloat16, or in float16 with scaled losses (on a GPU).
        launcher: MMEngine's; on a machine without a GPU the processes talk through gloo.

    Raises:
        BPRError: an override that cannot be read, float16 without a GPU, a launcher that did not start this process.
    """
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(_parse(options))
    cfg.work_dir = work_dir or cfg.get("work_dir") or str(Path("work_dirs") / Path(config).stem)
    if amp:
        _use_amp(cfg, amp)
    checkpoint = find_latest_checkpoint(cfg.work_dir) if resume == "auto" else resume
    if checkpoint:  # else ``auto`` found no run to continue, and the config's own ``load_from`` counts
        cfg.resume, cfg.load_from = True, checkpoint
    if launcher != "none":
        join_processes(cfg, launcher)
    return Runner.from_cfg(cfg)


def _use_amp(cfg: Config, amp: Literal["bf16", "fp16"]) -> None:
    if amp == "bf16":
        cfg.optim_wrapper.type = "bpr.Bf16OptimWrapper"
    elif torch.cuda.is_available():
        cfg.optim_wrapper.update(type="AmpOptimWrapper", dtype="float16")
    else:
        raise BPRError("--amp fp16: expected a GPU, got none; --amp bf16 trains without one")


def _parse(options: Sequence[str]) -> dict[str, object]:
    """``key=value`` strings as MMEngine's own ``--cfg-options`` reads them."""
    pairs = [option.partition("=") for option in options]
    for option, (key, equals, _) in zip(options, pairs, strict=True):
        if not key or not equals:
            raise BPRError(f"--cfg-options {option}: expected key=value, such as train_cfg.max_iters=100")
    return {key: DictAction._parse_iterable(value) for key, _, value in pairs}
