"""Which instances a training draws, and how their patches become a batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any

import numpy as np
from mmengine.dataset import default_collate
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Dataset, Sampler

from bpr.training.registry import DATA_SAMPLERS, FUNCTIONS

DRAWN_AT_ONCE = 1024


@DATA_SAMPLERS.register_module()
class BalancedSampler(Sampler[int]):
    """Indices without end, drawn with the dataset's ``weights``.

    All processes draw the same sequence, and process r of n takes every n-th index from the r-th on.
    """

    def __init__(self, dataset: Dataset, seed: int | None = None) -> None:
        self.weights = np.asarray(dataset.weights) / np.sum(dataset.weights)  # type: ignore[attr-defined]
        self.rank, self.world_size = get_dist_info()
        self.seed = sync_random_seed() if seed is None else seed

    def __iter__(self) -> Iterator[int]:
        return islice(self._drawn(), self.rank, None, self.world_size)

    def _drawn(self) -> Iterator[int]:
        rng = np.random.default_rng(self.seed)
        while True:
            yield from rng.choice(len(self.weights), DRAWN_AT_ONCE, p=self.weights).tolist()

    def __len__(self) -> int:
        """One nominal epoch: as many draws as there are instances."""
        return len(self.weights) // self.world_size

    def set_epoch(self, epoch: int) -> None:
        """MMEngine calls this at every epoch; the sequence has no end, so there is nothing to do."""


@FUNCTIONS.register_module()
def collate_instances(items: Sequence[list[dict[str, Any]]]) -> Any:
    """A batch of instances, each a list of samples, -> a batch of all their samples."""
    return default_collate(list(chain.from_iterable(items)))
