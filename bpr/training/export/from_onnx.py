"""The weights of an exported file -> a state dict, so that training can continue where only that file is left.

Exporting folds every norm that follows a convolution into it. Such a norm comes back as one that only adds a bias,
which is the same network in eval mode (see :mod:`bpr.training.network.norms`).
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
from bpr.training.network.norms import norm_that_adds

PREFIX, HALF = "segmentor.", ".half"
FOLDED_BIASES = ".bias", ".weight_bias"
"""What the exported bias of a convolution without one ends in, now and in files of before November 2026."""


def exported_state_dict(path: str | Path, model: nn.Module) -> dict[str, torch.Tensor]:
    """The tensors of ``path``, a file that ``bpr export`` wrote, under the names of ``model``; further ones under their own.

    Args:
        model: a network of the same architecture.

    Raises:
        BPRError: no such file, or not an ONNX file.
    """
    if not Path(path).is_file():
        raise BPRError(f"{path}: no such file")
    try:
        graph = onnx.load(str(path)).graph
    except DecodeError as error:
        raise BPRError(f"{path}: not an ONNX file; expected one written by bpr export") from error
    weights = [item for item in graph.initializer if item.name.startswith(PREFIX)]
    arrays = {item.name: numpy_helper.to_array(item).astype(np.float32) for item in weights}
    tensors = {name.removeprefix(PREFIX).removesuffix(HALF): torch.from_numpy(array) for name, array in arrays.items()}
    constants = dict(model.named_buffers()).keys() - model.state_dict().keys()  # of the preprocessing
    state = {name: tensor for name, tensor in tensors.items() if name not in constants}
    bias = None
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            folded = [name + ending for ending in FOLDED_BIASES if name + ending in state and module.bias is None]
            bias = state.pop(folded[0]) if folded else None
        elif isinstance(module, _BatchNorm) and bias is not None:
            state |= {f"{name}.{part}": value for part, value in norm_that_adds(bias, module.eps).items()}
    return state
