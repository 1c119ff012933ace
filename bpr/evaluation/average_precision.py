"""COCO mask AP by pycocotools, the reference, without its prints and its crashes on incomplete files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stdout

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from bpr.errors import BPRError
from bpr.evaluation.inputs import Document, Frames, image_frames
from bpr.formats.coco import Record
from bpr.formats.rle import decode_mask, encode_mask

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
    for kind, items in (("annotation", document["annotations"]), ("record", records)):
        for index, item in enumerate(items):
            if item.get("category_id") is None:
                raise BPRError(f"{kind} {index}: expected a category_id, got none; AP is a mean over classes")
    frames = image_frames(document)
    truth = [_truth(annotation, frames) for annotation in document["annotations"] if annotation["image_id"] in frames]
    categories = document.get("categories") or [{"id": key} for key in dict.fromkeys(item["category_id"] for item in truth)]
    found = [{**record, "iscrowd": 0} for record in records if record["image_id"] in frames]
    return _evaluate(*(_index(items, document["images"], categories) for items in (truth, found)))


def _truth(annotation: Record, frames: Frames) -> Record:
    mask = decode_mask(annotation["segmentation"], frames[annotation["image_id"]])
    return {"iscrowd": 0, "area": mask.area, **annotation, "segmentation": encode_mask(mask)}


def _index(items: list[Record], images: list[Record], categories: list[Record]) -> COCO:
    index = COCO()
    # COCOeval takes id 0 for "no match": the ids are counted anew, from 1.
    index.dataset = {"images": images, "categories": categories, "annotations": [{**item, "id": n} for n, item in enumerate(items, 1)]}
    with redirect_stdout(io.StringIO()):
        index.createIndex()
    return index


def _evaluate(truth: COCO, found: COCO) -> dict[str, float]:
    with redirect_stdout(io.StringIO()):
        evaluation = COCOeval(truth, found, "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {name: float(value) for name, value in zip(NAMES, evaluation.stats, strict=False)}
