"""Norms that were folded into their convolutions get back the statistics of what the network sees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_reduce_params, get_rank
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from bpr.training.registry import HOOKS


@HOOKS.register_module()
class CalibrateNormHook(Hook):
    """Before training, express the batch norms in the statistics of a few batches.

    Without it, a backbone from :func:`~bpr.training.pretrained.mobilenet_v2_state_dict` would compute something else in
    training, where norms divide by the batch's spread, than the network that was folded.
    """

    def __init__(self, batches: int = 4) -> None:
        self.batches = batches

    def before_train(self, runner: Runner) -> None:
        if runner.iter:
            return  # resumed: its norms have statistics of their own
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        calibrate_norms(model, (model.data_preprocessor(batch)["inputs"] for batch in self._draw(runner.train_dataloader)))
        all_reduce_params([value for value in model.state_dict().values() if value.is_floating_point()], op="mean")

    def _draw(self, loader: DataLoader) -> Iterator[Any]:
        """Batches of random samples, past the loader's sampler, whose order is that of the training."""
        rng = np.random.default_rng(get_rank())
        for _ in range(self.batches):
            chosen = rng.integers(0, len(loader.dataset), loader.batch_size).tolist()
            yield loader.collate_fn([loader.dataset[index] for index in chosen])


@torch.no_grad()
def calibrate_norms(model: nn.Module, batches: Iterable[torch.Tensor]) -> None:
    """Set every batch norm's running statistics to those of ``batches``; what it computes in eval mode stays the same."""
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    moments: dict[nn.Module, list[torch.Tensor]] = {norm: [] for norm in norms}

    def watch(norm: nn.Module, inputs: tuple[Any, ...]) -> None:
        x = inputs[0].float()
        moments[norm].append(torch.stack([x.mean((0, 2, 3)), x.square().mean((0, 2, 3))]))

    watching = [norm.register_forward_pre_hook(watch) for norm in norms]
    was_training = model.training
    model.eval()
    for inputs in batches:
        model(inputs)
    model.train(was_training)
    for handle in watching:
        handle.remove()
    for norm, seen in moments.items():
        mean, square = torch.stack(seen).mean(0)
        _restate(norm, mean, (square - mean.square()).clamp(min=0))


def _restate(norm: nn.Module, mean: torch.Tensor, variance: torch.Tensor) -> None:
    """The same affine map, written with other statistics."""
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    norm.bias += scale * (mean - norm.running_mean)
    norm.weight.copy_(scale * (variance + norm.eps).sqrt())
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
