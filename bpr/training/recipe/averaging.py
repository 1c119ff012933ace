"""The average of several trainings of one network, which is often better than any of them.

The trainings have to start from the same weights, or their average means nothing ("model soups", Wortsman et al. 2022).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import torch
from mmengine.runner import Runner
from torch.optim.swa_utils import update_bn

from bpr.errors import BPRError
from bpr.training.checkpoints import load_into, read_state_dict
from bpr.training.network.segmentor import build_segmentor
from bpr.training.recipe.runner import original_worker_errors


def average_checkpoints(config: str | Path, checkpoints: Sequence[str | Path], batches: int) -> dict[str, torch.Tensor]:
    """The averaged tensors of several checkpoints of one config.

    The statistics of the norms are not averaged but measured, on ``batches`` batches of the config's training data:
    the activations of an averaged network are not the average of the networks' activations. Weights read from an exported
    file, whose norms are folded, do not average with those of a training that began from it, whose norms are not.

    Raises:
        BPRError: a file or an image cannot be read, or tensors differ from the first checkpoint's or the config's.
    """
    cfg, model = build_segmentor(config)
    average = averaged([read_state_dict(checkpoint) for checkpoint in checkpoints])
    load_into(model, average, f"{checkpoints[0]}: does not fit {config}")
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=cfg.randomness.seed)
    with original_worker_errors():
        update_bn((model.data_preprocessor(batch)["inputs"] for batch in islice(loader, batches)), model)
    return model.state_dict()


def averaged(states: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The mean of every tensor; integer tensors (the batches that a norm has seen) are taken from the first state.

    >>> averaged([{"weight": torch.tensor([1.0, 4.0])}, {"weight": torch.tensor([3.0, 4.0])}])
    {'weight': tensor([2., 4.])}

    Raises:
        BPRError: the tensors differ in name or shape.
    """
    first = {name: tensor.shape for name, tensor in states[0].items()}
    for number, state in enumerate(states[1:], start=2):
        other = {name: tensor.shape for name, tensor in state.items()}
        different = sorted(name for name in first.keys() | other.keys() if first.get(name) != other.get(name))
        if different:
            problem = f"expected the tensors of the first one, got another {different[0]}"
            raise BPRError(f"checkpoint {number}: {problem}; average trainings of one config")
    return {
        name: torch.stack([state[name] for state in states]).mean(0) if tensor.is_floating_point() else tensor
        for name, tensor in states[0].items()
    }
