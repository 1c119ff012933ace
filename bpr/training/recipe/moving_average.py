"""The moving average of the weights in one training, whose memory of the start fades whatever the training's length."""

from __future__ import annotations

import torch
from mmengine.model import ExponentialMovingAverage

from bpr.training.registry import MODELS

WARM_UP = 9
"""During warm-up, update n has the momentum WARM_UP / (WARM_UP + n): the mean age of the averaged weights is then a
tenth of the training so far."""


@MODELS.register_module()
class WarmedUpAverage(ExponentialMovingAverage):
    """MMEngine's moving average, with a higher momentum in the first updates.

    With a fixed momentum, the start keeps the share ``(1 - momentum) ** n`` after n updates: 62 % after 240 updates of
    momentum .002. Here weight vector t (0 is the first) has the share ``C(t + 8, 8) / C(n + 9, 9)`` after n updates,
    until the momentum has fallen to ``momentum``. Parameters and buffers have the names of MMEngine's class, so a
    checkpoint with either average can be resumed with the other.
    """

    def avg_func(self, averaged_param: torch.Tensor, source_param: torch.Tensor, steps: int) -> None:
        update = int(steps) // self.interval
        averaged_param.lerp_(source_param, max(self.momentum, WARM_UP / (WARM_UP + update)))
