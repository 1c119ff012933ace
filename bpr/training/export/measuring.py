"""Whether an exported model helps: a few instances that its config names are refined with the file itself.

Legend: K patches, S window side, C channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bpr.backends.onnx_runtime import OnnxPredictor
from bpr.evaluation.comparison import UNCHANGED
from bpr.refinement.predictor import PatchBatch
from bpr.refinement.refiner import Refiner
from bpr.training.data.patch_store import PatchStore, stores_in
from bpr.training.recipe.held_out import F_LABEL, IOU_LABEL, instances_of

MOST_IMAGES = 16
MOST_PATCHES, BATCH = 64, 8


@dataclass(frozen=True)
class Measured:
    """How well masks fit their ground truth before and after refining.

    Attributes:
        on: what was refined, such as "48 instances".
        scores: (before, after) by the name of the metric, in [0, 1].
    """

    on: str
    scores: Mapping[str, tuple[float, float]]

    @property
    def harms(self) -> bool:
        """Whether the masks fit worse afterwards, by any of the metrics."""
        return any(after < before - UNCHANGED for before, after in self.scores.values())

    def __str__(self) -> str:
        parts = [f"{name} {100 * before:.1f} -> {100 * after:.1f}" for name, (before, after) in self.scores.items()]
        return f"{self.on} that the config names, before and after refining: {', '.join(parts)}"


def measure_export(model: str | Path, cfg: Mapping[str, Any]) -> Measured | None:
    """Refine a few instances of a config's held-out or training data, or some patches of its patch store.

    Args:
        model: the exported file.

    Returns:
        None where the config names no data, or patches without a mask.

    Raises:
        BPRError: the data cannot be read.
    """
    predictor = OnnxPredictor(model)
    instances = instances_of(cfg, MOST_IMAGES)
    if instances is not None:
        metrics = instances.measure(Refiner(predictor))
        scores = {name: (metrics[f"{name}/before"], metrics[f"{name}/after"]) for name in (IOU_LABEL, F_LABEL)}
        return Measured(f"{len(instances.before)} instances", scores)
    stores = cfg.get("train_dataloader", {}).get("dataset", {}).get("stores")
    if not stores or "mask" not in predictor.spec.inputs:
        return None
    store = PatchStore(stores_in(stores if isinstance(stores, str) else stores[0])[0], predictor.spec)
    return _measure_patches(predictor, store)


def _measure_patches(predictor: OnnxPredictor, store: PatchStore) -> Measured:
    rows = np.linspace(0, len(store) - 1, min(len(store), MOST_PATCHES)).astype(int)
    patches, targets = (np.stack(arrays) for arrays in zip(*(store.read(row) for row in rows.tolist()), strict=True))
    channel = predictor.spec.channel_of("mask")
    batches = (patches[start : start + BATCH] for start in range(0, len(patches), BATCH))
    outputs = [predictor.predict(PatchBatch(batch, np.zeros((len(batch), 4), np.int32), [])) for batch in batches]
    refined = np.concatenate(outputs) > 0.5
    scores = (_iou(patches[..., channel] > 127, targets > 0), _iou(refined, targets > 0))
    return Measured(f"{len(patches)} patches", {"IoU": scores})


def _iou(masks: np.ndarray, truths: np.ndarray) -> float:
    """The mean IoU of (K, S, S) masks; two empty ones fit."""
    union = (masks | truths).sum((1, 2))
    return float(np.where(union, (masks & truths).sum((1, 2)) / np.maximum(union, 1), 1.0).mean())
