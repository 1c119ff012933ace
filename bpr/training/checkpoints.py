"""Checkpoints that are there whole or not at all, and load without executing anything they contain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import Hook
from mmengine.runner import Runner

from bpr.io.files import atomic_open
from bpr.training.registry import HOOKS

RESUMED = ("best_score", "best_ckpt", "keep_ckpt_ids")
"""What MMEngine's CheckpointHook has to find again: numbers, names of files, lists of iterations."""


@HOOKS.register_module()
class PlainCheckpointHook(Hook):
    """Keep what MMEngine logged out of its checkpoints: those objects need unpickling, tensors and numbers do not.

    What is left loads with ``weights_only=True``, which torch >= 2.6 asks for, also to resume. The smoothing
    windows of the log start anew after a resume; the best score so far and the list of kept checkpoints do not.
    """

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        info = {name: value for name, value in checkpoint["message_hub"]["runtime_info"].items() if name.startswith(RESUMED)}
        checkpoint["message_hub"] = {"log_scalars": {}, "runtime_info": info, "resumed_keys": dict.fromkeys(info, True)}


class WholeFileBackend(LocalBackend):
    """MMEngine's local files, each written beside its place and moved there: a run killed while it saves can resume."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        with atomic_open(filepath, "wb") as file:
            file.write(obj)


register_backend("bpr.whole", WholeFileBackend)
