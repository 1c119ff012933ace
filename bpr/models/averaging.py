"""Several trainings of one network, averaged: often a network that errs less than any of them.

The trainings have to begin from the same weights, or their average means nothing ("model soups", Wortsman et al. 2022).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from bpr.errors import BPRError


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
