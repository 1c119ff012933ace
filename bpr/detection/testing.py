"""MMDetection's test loop from a config and a checkpoint, of which only tensors are read."""

from __future__ import annotations

from pathlib import Path

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch.nn import Module

from bpr.errors import BPRError
from bpr.models.state_dict import read_state_dict


def test(runner: Runner, weights: str | Path) -> dict[str, float]:
    """What the loop measures; it prints it as well.

    Raises:
        BPRError: the checkpoint is missing, not plain, or does not fit.
    """
    load_weights(runner.model.module if is_model_wrapper(runner.model) else runner.model, weights)
    return runner.test()


def load_weights(model: Module, weights: str | Path) -> None:
    """The tensors of a checkpoint into a model.

    Raises:
        BPRError: the checkpoint is missing, not plain, or does not fit.
    """
    state = read_state_dict(weights)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise BPRError(f"{weights}: does not fit the config ({' '.join(str(error).split())[:200]})") from error
