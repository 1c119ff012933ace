"""LVIS AP by the ``lvis`` package: federated ground truth, 300 detections per image, classes grouped by frequency."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Sequence
from typing import Any

from bpr.errors import BPRError
from bpr.evaluation.bootstrap import NOTHING
from bpr.evaluation.matching import FEDERATED, Numbered, numbered
from bpr.evaluation.old_numpy import old_numpy
from bpr.evaluation.prepare import Document
from bpr.formats.coco import Record

NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "APr", "APc", "APf")
NEEDED = {"images": FEDERATED, "categories": {"frequency"}}
"""The keys that LVIS adds to those of COCO."""


def lvis_precision(records: Sequence[Record], document: Document) -> dict[str, float]:
    """AP by the names of NAMES; r, c and f stand for rare, common and frequent classes.

    Args:
        records: prepared detections.
        document: prepared LVIS annotations: images with ``neg_category_ids`` and ``not_exhaustive_category_ids``,
            categories with ``frequency``.

    Raises:
        BPRError: the package is not installed; the document is not LVIS.
    """
    try:
        evaluator: Any = importlib.import_module("lvis.eval")
    except ImportError as error:
        remedy = "pip install --no-deps lvis"
        raise BPRError(f"metric lvis-ap: expected the lvis package, got none ({remedy}): {error.name}") from error
    for part, needed in NEEDED.items():
        for item in document.get(part, []):
            if missing := ", ".join(sorted(needed - item.keys())):
                raise BPRError(f"metric lvis-ap: expected LVIS annotations, got {part} without {missing}")
    numbers = numbered(records, document)
    keys = ("image_id", "category_id", "score", "segmentation")
    detections = [{key: record[key] for key in keys} for record in numbers.detections]
    if not detections:  # the package fails without a first one
        return dict.fromkeys(NAMES, 0.0 if document["annotations"] else NOTHING)
    logging.getLogger("lvis").setLevel(logging.ERROR)
    with old_numpy(evaluator):
        evaluation = evaluator.LVISEval(_truth(evaluator, numbers), detections, "segm")
        evaluation.run()
    return {name: float(evaluation.results[name]) for name in NAMES}


def _truth(evaluator: Any, numbers: Numbered) -> Any:
    """The document as the package's index."""

    class Truth(evaluator.LVIS):
        def _load_json(self, path: Any) -> Any:
            return path

    return Truth(numbers.document)
