"""LVIS AP by the ``lvis`` package: federated ground truth, 300 detections per image, classes grouped by frequency."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from bpr.errors import BPRError
from bpr.evaluation.bootstrap import NOTHING
from bpr.evaluation.matching import FEDERATED, LOWEST_AP_IOU, BoundaryIou, numbered
from bpr.evaluation.old_numpy import old_numpy
from bpr.evaluation.prepare import Document
from bpr.formats.coco import Record

NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "APr", "APc", "APf")
NEEDED = {"images": FEDERATED, "categories": {"frequency"}}
"""The keys that LVIS adds to those of COCO."""


def lvis_precision(
    records: Sequence[Record], document: Document, boundary_iou: BoundaryIou | None = None
) -> dict[str, float]:
    """AP by the names of NAMES; r, c and f stand for rare, common and frequent classes.

    Args:
        document: prepared LVIS annotations.
        boundary_iou: match by the smaller of mask IoU and Boundary IoU; None: by mask IoU.

    Raises:
        BPRError: the package is not installed; the document is not LVIS.
    """
    try:
        evaluator: Any = importlib.import_module("lvis.eval")
    except ImportError as error:
        remedy = "pip install --no-deps lvis"
        raise BPRError(f"LVIS: expected the lvis package, got none ({remedy}): {error.name}") from error
    for part, needed in NEEDED.items():
        for item in document.get(part, []):
            if missing := ", ".join(sorted(needed - item.keys())):
                raise BPRError(f"LVIS: expected LVIS annotations, got {part} without {missing}")
    listed, found = numbered(records, document)
    keys = ("image_id", "category_id", "score", "segmentation")
    # The package numbers the detections anew.
    detections = [{key: record[key] for key in keys} | {"record": record["id"] - 1} for record in found]
    if not detections:  # the package fails without a first one
        return dict.fromkeys(NAMES, 0.0 if document["annotations"] else NOTHING)
    logging.getLogger("lvis").setLevel(logging.ERROR)

    class Truth(evaluator.LVIS):
        def _load_json(self, path: Any) -> Any:
            return path

    class Evaluation(evaluator.LVISEval):
        def compute_iou(self, img_id: Any, cat_id: Any) -> Any:
            ious = super().compute_iou(img_id, cat_id)
            if boundary_iou is None or not len(ious):
                return ious
            truths, detections = self._get_gt_dt(img_id, cat_id)
            detections = sorted(detections, key=lambda item: -item["score"])  # the order of the rows
            rows, columns = np.nonzero(ious >= LOWEST_AP_IOU)
            pairs = [(detections[d]["record"], truths[g]["id"] - 1) for d, g in zip(rows, columns, strict=True)]
            if pairs:
                ious[rows, columns] = np.minimum(ious[rows, columns], boundary_iou(pairs))
            return ious

    with old_numpy(evaluator):
        evaluation = Evaluation(Truth(listed), detections, "segm")
        evaluation.run()
    return {name: float(evaluation.results[name]) for name in NAMES}
