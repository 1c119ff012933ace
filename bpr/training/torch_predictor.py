"""A training checkpoint, or a network in training, through MMSegmentation and torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bpr.backends.exported import check_exists
from bpr.errors import BPRError
from bpr.geometry.options import PatchSpec, RefineOptions, from_config
from bpr.refinement.predictor import PatchBatch

if TYPE_CHECKING:
    import torch

    from bpr.training.patch_segmentor import PatchSegmentor


class SegmentorPredictor:
    """A :class:`~bpr.refinement.predictor.Predictor` around a network in eval mode, on the device where it lies.

    Args:
        bf16: convolutions in bfloat16, everything else in float32; without it nothing is rounded to fewer bits, TF32 included.
    """

    backend = "torch"

    def __init__(
        self,
        model: PatchSegmentor,
        spec: PatchSpec,
        recommended: RefineOptions,
        batch_size: int = 64,
        bf16: bool = False,
    ) -> None:
        self.model, self.spec, self.recommended = model, spec, recommended
        self.batch_size, self._bf16 = batch_size, bf16
        self._device = next(model.parameters()).device

    def predict(self, batch: PatchBatch) -> np.ndarray:
        import torch

        with torch.inference_mode():
            return self._probabilities(torch.from_numpy(batch.patches).to(self._device)).cpu().numpy()

    def _probabilities(self, patches: torch.Tensor) -> torch.Tensor:
        import torch

        exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
        with exact, torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16, cache_enabled=False):
            return self.model.probabilities(patches)


class GraphedPredictor(SegmentorPredictor):
    """A :class:`SegmentorPredictor` of a network whose weights stay; on a GPU full batches are one recorded CUDA graph."""

    def __init__(
        self,
        model: PatchSegmentor,
        spec: PatchSpec,
        recommended: RefineOptions,
        batch_size: int = 64,
        bf16: bool = False,
    ) -> None:
        super().__init__(model, spec, recommended, batch_size, bf16)
        self._full_batch = self._graph() if self._device.type == "cuda" else super().predict

    def predict(self, batch: PatchBatch) -> np.ndarray:
        return self._full_batch(batch) if len(batch) == self.batch_size else super().predict(batch)

    def _graph(self) -> Callable[[PatchBatch], np.ndarray]:
        from bpr.training.cuda_graph import CudaGraph

        side, channels = self.spec.window, self.spec.channels
        graph = CudaGraph(self._probabilities, (self.batch_size, side, side, channels))
        return lambda batch: graph(batch.patches)


class MMSegPredictor(GraphedPredictor):
    """A predictor from a config and a checkpoint, on the GPU where there is one.

    Args:
        checkpoint: a ``.pth`` of ``tools/train.py``; only tensors and plain values are read from it.
        config: its config; by default the only ``.py`` file beside the checkpoint, where training leaves it.

    Raises:
        BPRError: a file is missing, the checkpoint is not plain or does not fit the config.
    """

    def __init__(self, checkpoint: str | Path, config: str | Path | None = None, batch_size: int = 64, bf16: bool = False) -> None:
        import torch

        from bpr.training.loading import load_segmentor

        checkpoint = check_exists(checkpoint)
        cfg, model = load_segmentor(config or _config_beside(checkpoint), checkpoint)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        super().__init__(model.to(device), *from_config(cfg.refinement, "test"), batch_size, bf16)


def _config_beside(checkpoint: Path) -> Path:
    configs = sorted(checkpoint.parent.glob("*.py"))
    if len(configs) != 1:
        raise BPRError(f"{checkpoint}: expected one config (.py) beside it, got {len(configs)}; name it with --config")
    return configs[0]
