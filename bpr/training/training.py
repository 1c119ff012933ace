"""From a config to MMEngine's runner, on GPUs or on a CPU."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

import torch
from mmengine.config import Config, DictAction
from mmengine.runner import Runner, find_latest_checkpoint

from bpr.errors import BPRError
from bpr.training.launching import join_processes
from bpr.training.state_dict import check_resumable, read_state_dict

READ_BY_RUNNER = ("find_unused_parameters", "model_wrapper_cfg", "compile", "activation_checkpointing", "efficient_conv_bn_eval")
"""Keys of a config that MMEngine's runner looks up by itself, beside its arguments."""


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
        BPRError: an override that cannot be read or that nothing would read, a checkpoint that cannot be used, float16 without
            a GPU, a launcher that did not start this process.
    """
    cfg = Config.fromfile(config)
    _override(cfg, _parse(options))
    cfg.work_dir = work_dir or cfg.get("work_dir") or str(Path("work_dirs") / Path(config).stem)
    if amp:
        _use_amp(cfg, amp)
    _choose_start(cfg, resume)
    if launcher != "none":
        join_processes(cfg, launcher)
    return Runner.from_cfg(cfg)


def _override(cfg: Config, values: dict[str, object]) -> None:
    """Set ``values`` by their dotted keys. New ones may be added below a key of the config, as to ``visualizer``; a new first
    part is one of MMEngine's, or a slip that nothing would read.
    """
    known = {*cfg.keys(), *inspect.signature(Runner).parameters, *READ_BY_RUNNER}
    for key in values:
        first = key.partition(".")[0]
        if first not in known:
            near = get_close_matches(first, sorted(known)) or sorted(cfg.keys())
            raise BPRError(f"--cfg-options {key}: expected a key of the config ({', '.join(near)}), got {first!r}")
    try:
        cfg.merge_from_dict(values)
    except (KeyError, TypeError, AttributeError) as error:
        raise BPRError(f"--cfg-options: expected places that the config has, got another ({error}); mend the dotted key") from error


def _choose_start(cfg: Config, resume: str | None) -> None:
    """Set where the weights come from, after a look at the file: MMEngine stumbles in many ways over one that is no checkpoint."""
    checkpoint = find_latest_checkpoint(cfg.work_dir) if resume == "auto" else resume
    if checkpoint:
        check_resumable(checkpoint)
        cfg.resume, cfg.load_from = True, checkpoint
    elif cfg.get("load_from") and "://" not in cfg.load_from:
        read_state_dict(cfg.load_from)


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
