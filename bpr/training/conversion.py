"""Match the tensors of a foreign checkpoint to those of our network.

The authors' released checkpoints use the names that ours use (``backbone.conv1``, ``backbone.conv_mask``, the usual
HRNet names, ``decode_head.convs.0.{conv,bn}``, ``decode_head.conv_seg``): the mask enters the network in the same way
and the head has the same two classes. Two things differ from file to file: the prefix that distributed training adds,
and the norms' batch counters, which older versions do not write and inference does not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

PREFIX = "module."
COUNTER = ".num_batches_tracked"


@dataclass(frozen=True, eq=False)
class Fit:
    """Which tensors of a file fit a model.

    Attributes:
        matched: those that fit, under the model's names.
        missing: names of the model that the file lacks, batch counters left out.
        unexpected: names of the file that the model does not have.
        reshaped: (shape in the file, shape in the model) by name.
        counters: the norms' batch counters that the file lacks.
    """

    matched: dict[str, torch.Tensor]
    missing: list[str]
    unexpected: list[str]
    reshaped: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]
    counters: list[str]

    @property
    def complete(self) -> bool:
        return not (self.missing or self.unexpected or self.reshaped)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The tensors that fit, and a zero for every batch counter that the file lacks."""
        return {**self.matched, **{name: torch.tensor(0) for name in self.counters}}


def fit_state_dict(source: Mapping[str, torch.Tensor], model: Mapping[str, torch.Tensor]) -> Fit:
    """Sort the tensors of a file by whether a model's state dict has their name and shape.

    >>> model = {"conv.weight": torch.zeros(2, 3), "bn.num_batches_tracked": torch.tensor(0)}
    >>> fit_state_dict({"module.conv.weight": torch.ones(2, 3)}, model).complete
    True
    >>> fit_state_dict({"conv.weight": torch.ones(19, 3), "head": torch.ones(1)}, model).reshaped
    {'conv.weight': ((19, 3), (2, 3))}
    """
    source = {name.removeprefix(PREFIX): tensor for name, tensor in source.items()}
    shared = [name for name in model if name in source]
    absent = [name for name in model if name not in source]
    shapes = {name: (tuple(source[name].shape), tuple(model[name].shape)) for name in shared}
    return Fit(
        matched={name: source[name] for name in shared if shapes[name][0] == shapes[name][1]},
        missing=[name for name in absent if not name.endswith(COUNTER)],
        unexpected=[name for name in source if name not in model],
        reshaped={name: pair for name, pair in shapes.items() if pair[0] != pair[1]},
        counters=[name for name in absent if name.endswith(COUNTER)],
    )
