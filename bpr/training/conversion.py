"""Tensors of another training -> tensors of ours: what fits, what does not.

The authors' released checkpoints name their tensors as ours are named (``backbone.conv1``, ``backbone.conv_mask``, the
usual HRNet names, ``decode_head.convs.0.{conv,bn}``, ``decode_head.conv_seg``): the mask enters as theirs did, and the
head tells the same two classes apart. What differs from file to file is the prefix of a distributed training and the
batch counters, which norms of older versions do not write and which no inference reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

PREFIX = "module."
COUNTER = ".num_batches_tracked"


@dataclass(frozen=True, eq=False)
class Fit:
    """What became of the tensors of a file: ``matched`` under our names, the rest by the reason why not.

    ``reshaped`` holds (shape in the file, shape in the model). ``counters`` of the norms were not in the file.
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
        """The tensors that fit, and a fresh counter for every norm that came without one."""
        return {**self.matched, **{name: torch.tensor(0) for name in self.counters}}


def fit_state_dict(given: Mapping[str, torch.Tensor], model: Mapping[str, torch.Tensor]) -> Fit:
    """Sort the tensors of a file by whether a model's state dict has their name and shape.

    >>> model = {"conv.weight": torch.zeros(2, 3), "bn.num_batches_tracked": torch.tensor(0)}
    >>> fit_state_dict({"module.conv.weight": torch.ones(2, 3)}, model).complete
    True
    >>> fit_state_dict({"conv.weight": torch.ones(19, 3), "head": torch.ones(1)}, model).reshaped
    {'conv.weight': ((19, 3), (2, 3))}
    """
    given = {name.removeprefix(PREFIX): tensor for name, tensor in given.items()}
    shared = [name for name in model if name in given]
    absent = [name for name in model if name not in given]
    shapes = {name: (tuple(given[name].shape), tuple(model[name].shape)) for name in shared}
    return Fit(
        matched={name: given[name] for name in shared if shapes[name][0] == shapes[name][1]},
        missing=[name for name in absent if not name.endswith(COUNTER)],
        unexpected=[name for name in given if name not in model],
        reshaped={name: pair for name, pair in shapes.items() if pair[0] != pair[1]},
        counters=[name for name in absent if name.endswith(COUNTER)],
    )
