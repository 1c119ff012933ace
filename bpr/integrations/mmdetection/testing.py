"""MMDetection's test loop from a config and a checkpoint, of which only tensors are read."""

from __future__ import annotations

from pathlib import Path

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from bpr.training.state_dict import fill, read_state_dict


def test(runner: Runner, weights: str | Path) -> dict[str, float]:
    """What the loop measures; it prints it as well.

    Raises:
        BPRError: the checkpoint is missing, not plain, or does not fit.
    """
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    fill(model, read_state_dict(weights), f"{weights}: does not fit the config")
    return runner.test()
