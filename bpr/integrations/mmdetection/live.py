"""A detector and the refiner on image files: COCO records of coarse and refined masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mmdet.datasets  # noqa: F401  (the transforms of the test pipelines)
import torch
from mmdet.apis import inference_detector
from mmdet.registry import DATASETS
from mmengine.config import Config, ConfigDict
from mmengine.device import get_device
from mmengine.hub import get_config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from bpr.errors import BPRError
from bpr.formats.coco import Record, with_mask
from bpr.geometry.masks import BoxMask
from bpr.integrations.mmdetection.refined_detector import RefinedDetector
from bpr.refinement.refiner import Refiner
from bpr.training.checkpoints import load_into, read_state_dict


class LiveDetector:
    """A :class:`RefinedDetector` for single files, on the GPU where there is one.

    Args:
        config: a config of MMDetection, as a file or as ``mmdet::mask_rcnn/...``, with or without a refiner.
        weights: the detector's checkpoint; only tensors are read from it.
        refiner: refines the masks; it replaces a refiner of the config.

    Raises:
        BPRError: a file is missing, the checkpoint is not plain, or it does not fit the config.
    """

    def __init__(self, config: str, weights: str | Path, refiner: Refiner) -> None:
        cfg = _read_config(config)
        init_default_scope(cfg.get("default_scope", "mmdet"))
        detector = cfg.model.get("detector", cfg.model) if cfg.model.type == "bpr.RefinedDetector" else cfg.model
        self._model = RefinedDetector(detector, refiner)
        load_into(self._model, read_state_dict(weights), f"{weights}: does not fit the config")
        self._model.cfg = cfg  # where MMDetection looks for the test pipeline
        self._model.to(get_device()).eval()
        self.classes = _classes(cfg.test_dataloader.dataset)

    def __call__(self, file: str | Path, image_id: Any, category_ids: list[int], min_score: float) -> tuple[list[Record], list[Record]]:
        """The records with coarse and with refined masks, in the same order; those of a lower score are left out."""
        with torch.no_grad():
            sample = inference_detector(self._model, str(file))
        chosen = sample.pred_instances.scores >= min_score
        coarse = [_record(one, image_id, category_ids) for one in sample.coarse_instances[chosen]]
        refined = [with_mask(old, _mask(one)) for old, one in zip(coarse, sample.pred_instances[chosen], strict=True)]
        return coarse, refined


def _read_config(config: str) -> Config:
    if "::" in config:
        return get_config(config)
    if not Path(config).is_file():
        remedy = "expected a config of MMDetection, or mmdet::FOLDER/NAME.py of the installed one"
        raise BPRError(f"{config}: no such file; {remedy}")
    return Config.fromfile(config)


def _classes(dataset: ConfigDict) -> tuple[str, ...]:
    """The class names of a dataset, inside its wrappers."""
    while "dataset" in dataset:
        dataset = dataset.dataset
    return tuple(dataset.get("metainfo", {}).get("classes") or DATASETS.get(dataset.type).METAINFO["classes"])


def _record(one: InstanceData, image_id: Any, category_ids: list[int]) -> Record:
    left, top, right, bottom = one.bboxes[0].tolist()
    base = {"image_id": image_id, "category_id": category_ids[int(one.labels[0])], "score": float(one.scores[0])}
    return {**with_mask(base, _mask(one)), "bbox": [left, top, right - left, bottom - top]}


def _mask(one: InstanceData) -> BoxMask:
    return BoxMask.from_frame(one.masks[0].cpu().numpy())
