"""Predictors on torch: a training checkpoint, or a network in training.

Legend: K patches, S window side, C channels.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bpr.backends.exported import check_exists
from bpr.backends.registry import BATCH_SIZE
from bpr.cores import limited_cores
from bpr.errors import BPRError
from bpr.geometry.options import PatchSpec, RefineOptions, from_config
from bpr.refinement.predictor import PatchBatch
from bpr.refinement.verdict.model import VerdictModel
from bpr.refinement.workbench import IN_MEMORY, Workbench
from bpr.training.card import Card
from bpr.training.network.segmentor import PatchSegmentor, load_segmentor

WARM_UPS = 3
"""Runs before a CUDA graph is recorded, in which cuDNN chooses its kernels and memory is allocated."""


class SegmentorPredictor:
    """A :class:`~bpr.refinement.predictor.Predictor` around a network in eval mode, on the network's device.

    Args:
        bf16: convolutions in bfloat16, everything else in float32. False: everything in float32, without TF32.
        on_card: patches are cut and put back on the device, too (:class:`~bpr.training.card.Card`).
    """

    backend = "torch"
    verdict: VerdictModel | None = None  # it is fitted to an exported file

    def __init__(
        self,
        model: PatchSegmentor,
        spec: PatchSpec,
        recommended: RefineOptions,
        batch_size: int = BATCH_SIZE,
        bf16: bool = False,
        on_card: bool = False,
    ) -> None:
        self.model, self.spec, self.recommended = model, spec, recommended
        self.batch_size, self._bf16 = batch_size, bf16
        self._device = next(model.parameters()).device
        self.workbench: Workbench = Card(self._device) if on_card else IN_MEMORY
        self.provider, self.threads = self._device.type, torch.get_num_threads()

    def predict(self, batch: PatchBatch) -> Any:
        """(K, S, S) float32 P(foreground) where the patches are: in memory, or on the device."""
        with torch.inference_mode():
            answers = self._answers(torch.as_tensor(batch.patches))
            return answers.cpu().numpy() if isinstance(batch.patches, np.ndarray) else answers

    def _answers(self, patches: torch.Tensor) -> torch.Tensor:
        """(K, S, S) float32 on the device, valid until the next call, for patches anywhere."""
        return self._probabilities(patches.to(self._device))

    def _probabilities(self, patches: torch.Tensor) -> torch.Tensor:
        exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
        with exact, torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16, cache_enabled=False):
            return self.model.probabilities(patches)


class GraphedPredictor(SegmentorPredictor):
    """A :class:`SegmentorPredictor` of a network whose weights stay; on a GPU, full batches replay a CUDA graph."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._graph: CudaGraph | None = None
        if self._device.type == "cuda":
            side = self.spec.window
            self._graph = CudaGraph(self._probabilities, (self.batch_size, side, side, self.spec.channels))

    def _answers(self, patches: torch.Tensor) -> torch.Tensor:
        if self._graph is not None and len(patches) == self.batch_size:
            return self._graph(patches)
        return super()._answers(patches)


class CudaGraph:
    """A network recorded for one shape, so that one call launches its hundreds of small kernels.

    Args:
        network: (K, S, S, C) uint8 on the GPU -> (K, S, S) float32 probabilities.
        shape: (K, S, S, C).
    """

    def __init__(self, network: Callable[[torch.Tensor], torch.Tensor], shape: tuple[int, ...]) -> None:
        self._pinned = torch.empty(shape, dtype=torch.uint8, pin_memory=True)
        self._patches = torch.zeros(shape, dtype=torch.uint8, device="cuda")
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.inference_mode(), torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                network(self._patches)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.inference_mode(), torch.cuda.graph(self._graph):
            self._probabilities = network(self._patches)

    def __call__(self, patches: torch.Tensor) -> torch.Tensor:
        """Copy in and replay. The buffers, also that of the answers, are shared: one caller at a time."""
        if not patches.is_cuda:
            self._pinned.copy_(patches)
            patches = self._pinned
        self._patches.copy_(patches, non_blocking=True)
        self._graph.replay()
        return self._probabilities


class MMSegPredictor(GraphedPredictor):
    """A predictor from a config and a checkpoint, on the GPU where there is one.

    Args:
        checkpoint: a ``.pth`` that ``bpr train`` wrote; only tensors and plain values are read from it.
        threads: of all networks of torch in this process; None takes all cores that the process may use.
        on_card: as for :class:`SegmentorPredictor`.
        config: its config; by default the only ``.py`` file in the checkpoint's folder, where training writes it.

    Raises:
        BPRError: a file is missing, the checkpoint is not plain or does not fit the config.
    """

    def __init__(
        self,
        checkpoint: str | Path,
        config: str | Path | None = None,
        batch_size: int = BATCH_SIZE,
        bf16: bool = False,
        threads: int | None = None,
        on_card: bool = False,
    ) -> None:
        if count := threads or limited_cores():
            torch.set_num_threads(count)
        checkpoint = check_exists(checkpoint)
        cfg, model = load_segmentor(config or _config_beside(checkpoint), checkpoint)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        super().__init__(model.to(device), *from_config(cfg.refinement, "test"), batch_size, bf16, on_card)


def _config_beside(checkpoint: Path) -> Path:
    configs = sorted(checkpoint.parent.glob("*.py"))
    if len(configs) != 1:
        expected = f"expected one config (.py) in its folder, got {len(configs)}"
        raise BPRError(f"{checkpoint}: {expected}; name it with --config")
    return configs[0]
