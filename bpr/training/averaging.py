"""Several trainings of one network, averaged: often a network that errs less than any of them.

The trainings have to begin from the same weights, or their average means nothing ("model soups", Wortsman et al. 2022).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import torch
from mmengine.runner import Runner
from torch.optim.swa_utils import update_bn

from bpr.errors import BPRError
from bpr.training.loading import build_segmentor
from bpr.training.state_dict import fill, read_state_dict
from bpr.training.workers import own_line


def average_checkpoints(config: str | Path, checkpoints: Sequence[str | Path], batches: int) -> dict[str, torch.Tensor]:
    """The averaged tensors of several checkpoints of a config, with norms measured on so many batches of its training data.

    Raises:
        BPRError: a file or an image cannot be read, or the tensors of one are not those of the others or of the config.
    """
    cfg, model = build_segmentor(config)
    fill(model, averaged([read_state_dict(checkpoint) for checkpoint in checkpoints]), f"{checkpoints[0]}: does not fit {config}")
    drawn = islice(Runner.build_dataloader(cfg.train_dataloader, seed=cfg.randomness.seed), batches)
    # The activations of averaged weights are not the average of the activations: the norms' statistics have to be measured.
    with own_line():
        update_bn((model.data_preprocessor(batch)["inputs"] for batch in drawn), model)
    return model.state_dict()


def averaged(states: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The mean of every tensor; what counts in whole numbers (the batches that a norm has seen) is the first one's.

    >>> averaged([{"weight": torch.tensor([1.0, 4.0])}, {"weight": torch.tensor([3.0, 4.0])}])
    {'weight': tensor([2., 4.])}

    Raises:
        BPRError: the tensors differ in name or shape.
    """
    first = {name: tensor.shape for name, tensor in states[0].items()}
    for number, state in enumerate(states[1:], start=2):
        other = {name: tensor.shape for name, tensor in state.items()}
        odd = sorted(name for name in first.keys() | other.keys() if first.get(name) != other.get(name))
        if odd:
            expected = f"checkpoint {number}: expected the tensors of the first one"
            raise BPRError(f"{expected}, got another {odd[0]}; average trainings of one config")
    return {
        name: torch.stack([state[name] for state in states]).mean(0) if tensor.is_floating_point() else tensor
        for name, tensor in states[0].items()
    }
