"""Batch norms that exporting or pretraining folded into their convolutions, and how they get statistics again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_reduce_params, get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import DataLoader

from bpr.training.network.unwrapping import network_of
from bpr.training.registry import HOOKS


def norm_that_adds(bias: torch.Tensor, eps: float) -> dict[str, torch.Tensor]:
    """The tensors of a batch norm that in eval mode adds ``bias`` and does nothing else.

    The folded norm comes back as this one; :class:`CalibrateNormHook` gives it the statistics of real patches.
    """
    ones, zeros = torch.ones_like(bias), torch.zeros_like(bias)
    return {"weight": ones, "bias": bias, "running_mean": zeros, "running_var": ones - eps}


@HOOKS.register_module()
class CalibrateNormHook(Hook):
    """Before a training starts, set the statistics of all batch norms to those of a few batches.

    In training, a norm divides by the spread of the batch. Without this hook, a network whose norms were folded
    (:func:`norm_that_adds`) would therefore compute something else in training than it does in eval mode.

    Args:
        batches: batches to measure; each process draws its own, and the results are averaged.
    """

    def __init__(self, batches: int = 4) -> None:
        self.batches = batches

    def before_train(self, runner: Runner) -> None:
        if runner.iter:
            return  # resumed: the norms already have statistics of their own
        model = network_of(runner)
        drawn = self._draw(runner.train_dataloader)
        calibrate_norms(model, (model.data_preprocessor(batch)["inputs"] for batch in drawn))
        all_reduce_params([value for value in model.state_dict().values() if value.is_floating_point()], op="mean")

    def _draw(self, loader: DataLoader) -> Iterator[Any]:
        """Batches of random samples. They bypass the loader's sampler, so the order of the training stays the same."""
        rng = np.random.default_rng(get_rank())
        for _ in range(self.batches):
            chosen = rng.integers(0, len(loader.dataset), loader.batch_size).tolist()
            yield loader.collate_fn([loader.dataset[index] for index in chosen])


@torch.no_grad()
def calibrate_norms(model: nn.Module, batches: Iterable[torch.Tensor]) -> None:
    """Set every batch norm's running statistics to those of ``batches``; in eval mode the model computes the same."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    moments: dict[nn.Module, list[torch.Tensor]] = {norm: [] for norm in norms}

    def record_moments(norm: nn.Module, inputs: tuple[Any, ...]) -> None:
        activations = inputs[0].float()
        moments[norm].append(torch.stack([activations.mean((0, 2, 3)), activations.square().mean((0, 2, 3))]))

    handles = [norm.register_forward_pre_hook(record_moments) for norm in norms]
    was_training = model.training
    model.eval()
    for inputs in batches:
        model(inputs)
    model.train(was_training)
    for handle in handles:
        handle.remove()
    for norm, measured in moments.items():
        mean, square = torch.stack(measured).mean(0)
        _restate(norm, mean, (square - mean.square()).clamp(min=0))


def _restate(norm: nn.Module, mean: torch.Tensor, variance: torch.Tensor) -> None:
    """Give a norm other statistics, and change its weight and bias so that it stays the same affine map."""
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    norm.bias += scale * (mean - norm.running_mean)
    norm.weight.copy_(scale * (variance + norm.eps).sqrt())
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
