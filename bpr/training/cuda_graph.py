"""Full batches on a GPU as one recorded CUDA graph: its hundreds of small kernels are launched by one call.

Legend: K patches of a full batch, S window side, C channels.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import torch

Network = Callable[[torch.Tensor], torch.Tensor]
WARM_UPS = 3
"""Runs before recording, in which cuDNN chooses its kernels and memory is taken."""


class CudaGraph:
    """``network`` recorded for one shape: (K, S, S, C) uint8 -> (K, S, S) float32 probabilities."""

    def __init__(self, network: Network, shape: tuple[int, ...]) -> None:
        self._pinned = torch.empty(shape, dtype=torch.uint8, pin_memory=True)
        self._patches = torch.zeros(shape, dtype=torch.uint8, device="cuda")
        self._lock = threading.Lock()
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.inference_mode(), torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                network(self._patches)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.inference_mode(), torch.cuda.graph(self._graph):
            self._answers = network(self._patches)

    def __call__(self, patches: np.ndarray) -> np.ndarray:
        """Copy in, replay, copy out; the copy out waits for both. One caller at a time, for the buffers are the graph's."""
        with self._lock, torch.inference_mode():
            self._pinned.copy_(torch.from_numpy(patches))
            self._patches.copy_(self._pinned, non_blocking=True)
            self._graph.replay()
            return self._answers.cpu().numpy()
