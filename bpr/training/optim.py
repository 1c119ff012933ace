"""Mixed precision that also works on a CPU, where MMEngine's own wrapper refuses to run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper

from bpr.training.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class Bf16OptimWrapper(OptimWrapper):
    """Forward in bfloat16 by autocast; its range is that of float32, so no loss scaling is needed."""

    @contextmanager
    def optim_context(self, model: torch.nn.Module) -> Iterator[None]:
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, torch.bfloat16):
            yield
