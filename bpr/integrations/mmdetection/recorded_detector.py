"""A detector that predicts the records of a results file: any detections in MMDetection's own loop and metrics."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.model import BaseModel
from mmengine.structures import InstanceData

from bpr.formats.coco import Record, read_annotations, read_results
from bpr.geometry.rle import decode_mask
from bpr.training.registry import MODELS


@MODELS.register_module()
class RecordedDetector(BaseModel):
    """Predicts the records of each image, in the order of the file.

    Args:
        results: COCO results file.
        annotations: COCO annotation file; a label is the index of the category among the sorted ids of this file, as in
            MMDetection's datasets.
    """

    def __init__(self, results: str, annotations: str, init_cfg: dict[str, Any] | None = None) -> None:
        super().__init__({"type": "mmdet.DetDataPreprocessor"}, init_cfg)
        categories = sorted(category["id"] for category in read_annotations(annotations)["categories"])
        self._labels = {category: label for label, category in enumerate(categories)}
        self._records: dict[Any, list[Record]] = defaultdict(list)
        for record in read_results(results):
            self._records[record["image_id"]].append(record)

    def forward(self, inputs: Any, data_samples: list[DetDataSample], mode: str = "predict") -> list[DetDataSample]:
        if mode != "predict":
            problem = f"expected mode 'predict', got {mode!r}"
            raise NotImplementedError(f"RecordedDetector: {problem}; recorded detections cannot be trained")
        for sample in data_samples:
            sample.pred_instances = self._instances(self._records[sample.img_id], sample.ori_shape[:2])
        return data_samples

    def _instances(self, records: list[Record], frame: tuple[int, int]) -> InstanceData:
        decoded = [decode_mask(record["segmentation"], frame).to_frame() for record in records]
        masks = np.array(decoded, bool).reshape(-1, *frame)
        boxes = torch.tensor([record["bbox"] for record in records]).reshape(-1, 4)
        return InstanceData(
            bboxes=torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], dim=1),
            labels=torch.tensor([self._labels[record["category_id"]] for record in records], dtype=torch.int64),
            scores=torch.tensor([record["score"] for record in records]),
            masks=torch.from_numpy(masks),
        )
