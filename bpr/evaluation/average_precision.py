"""COCO mask AP by pycocotools, the reference, without its prints and its crashes on spare files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from bpr.errors import BPRError
from bpr.evaluation.inputs import Document, check_annotations, image_frames
from bpr.formats.coco import Record

NAMES = ("AP", "AP50", "AP75", "AP_S", "AP_M", "AP_L")


def average_precision(records: Sequence[Record], document: Document) -> dict[str, float]:
    """AP over IoU .50:.05:.95, at .50, at .75, and by size of the truth (32^2 and 96^2 px), each in [0, 1].

    A number is -1 where the annotations hold no such instance, 0 where there is one and no detection. All images of the
    annotation file count, whether a detection lies in them or not.

    Args:
        records: checked detections (:func:`bpr.evaluation.inputs.check_detections`).
        document: a COCO annotation file; it is left as it is.

    Raises:
        BPRError: an annotation or a record without a class; an unreadable annotation.
    """
    checked = check_annotations(document, "annotations")
    return numbers(silently(match_detections(records, checked), "accumulate", "summarize"))


def match_detections(records: Sequence[Record], document: Document) -> COCOeval:
    """pycocotools' matching against a checked document, not yet accumulated.

    An id is a place in its list, counted from 1: there 0 means "no match".
    """
    return silently(COCOeval(*coco_index(records, document), "segm"), "evaluate")


def numbers(evaluation: Any) -> dict[str, float]:
    """The numbers of an evaluation that is done, by NAMES."""
    return {name: float(value) for name, value in zip(NAMES, evaluation.stats, strict=False)}


def coco_index(records: Sequence[Record], document: Document, index: Any = COCO) -> tuple[Any, Any]:
    """Truth and detections as ``index`` objects: pycocotools' COCO or one like it."""
    for place, item in enumerate(records):
        if item.get("category_id") is None:
            raise BPRError(f"record {place}: expected a category_id, got none; AP is a mean over classes")
    frames = image_frames(document)
    truth = [{**item, "id": n} for n, item in enumerate(document["annotations"], 1)]
    found = [{**record, "iscrowd": 0, "id": n} for n, record in enumerate(records, 1) if record["image_id"] in frames]
    categories = document.get("categories") or [{"id": key} for key in dict.fromkeys(item["category_id"] for item in truth)]
    return _indexed(index(), truth, document["images"], categories), _indexed(index(), found, document["images"], categories)


def _indexed(index: Any, items: list[Record], images: list[Record], categories: list[Record]) -> Any:
    index.dataset = {"images": images, "categories": categories, "annotations": items}
    return silently(index, "createIndex")


def silently(worker: Any, *steps: str) -> Any:
    """Call the methods ``steps`` of ``worker``, whose prints nobody asked for; returns it."""
    with redirect_stdout(io.StringIO()):
        for step in steps:
            getattr(worker, step)()
    return worker
