"""The network of a runner, without the wrapper that distributes its training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

if TYPE_CHECKING:
    from bpr.training.network.segmentor import PatchSegmentor


def network_of(runner: Runner) -> PatchSegmentor:
    """The network that a runner trains."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model
