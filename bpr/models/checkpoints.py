"""Checkpoints that load without executing anything they contain."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from bpr.models.registry import HOOKS


@HOOKS.register_module()
class PlainCheckpointHook(Hook):
    """Keep what MMEngine logged out of its checkpoints: those objects need unpickling, tensors and numbers do not.

    What is left loads with ``weights_only=True``, which torch >= 2.6 asks for, also to resume. The smoothing
    windows of the log start anew after a resume; nothing else depends on them.
    """

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        checkpoint["message_hub"] = {"log_scalars": {}, "runtime_info": {}, "resumed_keys": {}}
