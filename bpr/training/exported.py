"""The weights of an exported file -> a state dict, so that training can go on from a model of which only that file is left.

Exporting folds every norm that follows a convolution into it. Such a norm comes back as one that only shifts, which is the
same network in eval mode; before it trains, :class:`~bpr.training.calibration.CalibrateNormHook` writes it in the statistics of
patches.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from bpr.errors import BPRError

PREFIX, HALF, FOLDED_BIAS = "segmentor.", ".half", ".weight_bias"


def exported_state_dict(path: str | Path, model: nn.Module) -> dict[str, torch.Tensor]:
    """The tensors of ``path``, a file written by ``bpr export``, under the names of ``model``, which has its architecture.

    Raises:
        BPRError: no such file, or not an ONNX file.
    """
    tensors = _tensors(path)
    state = {name: torch.from_numpy(tensors[name].astype(np.float32)) for name in model.state_dict() if name in tensors}
    convolution = ""
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            convolution = name
        elif isinstance(module, _BatchNorm) and convolution + FOLDED_BIAS in tensors:
            bias = torch.from_numpy(tensors[convolution + FOLDED_BIAS].astype(np.float32))
            state |= {f"{name}.{part}": value for part, value in _shift(bias, module.eps).items()}
    return state


def _tensors(path: str | Path) -> dict[str, np.ndarray]:
    """The initializers of the graph, by the names that the network gave them."""
    if not Path(path).is_file():
        raise BPRError(f"{path}: no such file")
    try:
        graph = onnx.load(str(path)).graph
    except DecodeError as error:
        raise BPRError(f"{path}: not an ONNX file; expected one written by bpr export") from error
    return {item.name.removeprefix(PREFIX).removesuffix(HALF): numpy_helper.to_array(item) for item in graph.initializer}


def _shift(bias: torch.Tensor, eps: float) -> dict[str, torch.Tensor]:
    """A norm that adds ``bias`` and does nothing else."""
    ones, zeros = torch.ones_like(bias), torch.zeros_like(bias)
    return {"weight": ones, "bias": bias, "running_mean": zeros, "running_var": ones - eps}
