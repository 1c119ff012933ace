"""What the page's scripts read: one plain object per shown instance, masks as run lengths inside its cut."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from bpr.evaluation.matched_pairs import UNCHANGED
from bpr.evaluation.per_instance import InstanceRow
from bpr.geometry.boxes import Box
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask
from bpr.report.html.collect import Instance
from bpr.report.html.pictures import Pictures

NAME = "bprReportData"


def instance_data(instance: Instance, number: int, image_name: str, pictures: Pictures) -> dict[str, Any]:
    """One instance; ``number`` names its picture files.

    Shares are in points. ``masks`` are counts strings of COCO's RLE over the cut's width and height.
    """
    box = pictures.box
    masks = {"before": instance.before, "after": instance.after, "truth": instance.truth}
    return {
        "number": number,
        "image": image_name,
        "imageId": str(instance.image_id),
        "class": instance.category,
        "score": instance.score,
        "size": instance.size,
        "area": round(instance.area),
        "change": _points(instance.change),
        "agreement": _points(instance.agreement),
        "areaChange": _points(instance.area_change),
        "cut": {"left": box[0], "top": box[1], "width": box[2] - box[0], "height": box[3] - box[1]},
        "places": pictures.places,
        "masks": {name: _counts(mask, box) for name, mask in masks.items() if mask},
        **(_judgement(instance, instance.row, instance.truth, box) if instance.row and instance.truth else {}),
    }


def script(data: dict[str, Any]) -> str:
    """JavaScript that defines the data: pages opened from a disk may load scripts but not JSON."""
    return f"globalThis.{NAME} = {json.dumps(data, allow_nan=False, separators=(',', ':'))};\n"


def _judgement(instance: Instance, row: InstanceRow, truth: BoxMask, box: Box) -> dict[str, Any]:
    """Scores, and the pixels that changed: right now, wrongly added outside the object, wrongly cut off inside it."""
    old, new, right = (mask.window(box) for mask in (instance.before, instance.after, truth))
    counts = {"fixed": (old != new) & (new == right), "leaked": new & ~old & ~right, "lost": old & ~new & right}
    return {
        "verdict": "improved" if row.gain > UNCHANGED else "harmed" if row.gain < -UNCHANGED else "unchanged",
        "iou": [_points(row.iou_before), _points(row.iou_after)],
        "boundaryIou": [_points(row.boundary_iou_before), _points(row.boundary_iou_after)],
        "f": [_points(row.f_before), _points(row.f_after)],
        "pixels": {name: int(np.count_nonzero(count)) for name, count in counts.items()},
    }


def _points(share: float) -> float:
    return round(100 * share, 2)


def _counts(mask: BoxMask, box: Box) -> str:
    return str(encode_mask(BoxMask.from_frame(mask.window(box)))["counts"])
