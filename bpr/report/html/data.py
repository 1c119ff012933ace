"""What the page's scripts read: one plain object per shown instance, with its masks as run lengths inside its crop."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bpr.evaluation.comparison import UNCHANGED
from bpr.evaluation.pair_metrics import PAIR_METRICS
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask
from bpr.refinement.decisions import Review
from bpr.report.html.collect import Instance
from bpr.report.html.pictures import Pictures


def report_data(has_truth: bool, instances: Sequence[Mapping[str, Any]], review: Review | None) -> dict[str, Any]:
    """Everything that the scripts read.

    ``metrics`` gives the title of every metric of the instances, ``sides`` the two files that decisions are about.
    """
    titles = {metric.name: metric.title for metric in PAIR_METRICS} if has_truth else {}
    sides = review.sides if review else None
    named = [{**row, "id": review.ids[row["record"]]} for row in instances] if review else list(instances)
    return {"hasTruth": has_truth, "metrics": titles, "sides": sides, "instances": named}


def instance_data(instance: Instance, number: int, image_name: str, pictures: Pictures) -> dict[str, Any]:
    """One instance. Numbers are in percent or points.

    ``masks`` holds counts strings of COCO's RLE over the width and height of the crop (``cut``). With a ground truth,
    ``pixels`` counts the changed pixels: now right, wrongly added outside the object, and wrongly removed inside it.

    Args:
        number: names its picture files.
    """
    box = pictures.box
    masks = {"before": instance.coarse, "after": instance.refined, "truth": instance.truth}
    data = {
        "number": number,
        "record": instance.record,
        "image": image_name,
        "imageId": str(instance.image_id),
        "class": instance.category,
        "score": instance.score,
        "size": instance.size,
        "area": round(instance.area),
        "change": _points(instance.change),
        "agreement": _points(instance.agreement),
        "areaChange": _points(instance.area_change),
        "judged": instance.verdict and instance.verdict.as_key,
        "cut": {"left": box[0], "top": box[1], "width": box[2] - box[0], "height": box[3] - box[1]},
        "places": pictures.places,
        "masks": {
            name: encode_mask(BoxMask.from_frame(mask.window(box)))["counts"] for name, mask in masks.items() if mask
        },
    }
    row, truth = instance.row, instance.truth
    if not row or not truth:
        return data
    old, new, right = (mask.window(box) for mask in (instance.coarse, instance.refined, truth))
    changes = {"fixed": (old != new) & (new == right), "leaked": new & ~old & ~right, "lost": old & ~new & right}
    return {
        **data,
        "verdict": "improved" if row.gain > UNCHANGED else "harmed" if row.gain < -UNCHANGED else "unchanged",
        "metrics": {name: [_points(row.before[name]), _points(row.after[name])] for name in row.before},
        "pixels": {name: int(np.count_nonzero(change)) for name, change in changes.items()},
    }


def script(data: dict[str, Any]) -> str:
    """JavaScript that defines the data. A page opened from a disk may load scripts, but not JSON."""
    return f"globalThis.bprReportData = {json.dumps(data, allow_nan=False, separators=(',', ':'))};\n"


def _points(share: float) -> float:
    return round(100 * share, 2)
