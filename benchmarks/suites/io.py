"""What reading and writing cost: images, and run lengths inside the box against full frames by pycocotools."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from benchmarks.inputs import street_scene, write_street_scenes
from benchmarks.measuring import Ratio, Timing, in_turn, row, suite_report
from bpr.formats.coco import read_results
from bpr.geometry.rle import decode_mask, encode_mask
from bpr.io.files import write_json
from bpr.io.images import read_image

REPEATS = 7


def measure() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results = write_street_scenes(folder, [street_scene(0)])
        records = read_results(results)
        rles = [record["segmentation"] for record in records]
        sides = {
            "read a 1024x2048 PNG": lambda: read_image(folder / "0.png"),
            "read results, 20 records": lambda: read_results(results),
            "write results, 20 records": lambda: write_json(folder / "out.json", records),
            "decode and encode 20 masks, pycocotools": lambda: by_pycocotools(rles),
            "decode and encode 20 masks, boxes": lambda: [encode_mask(decode_mask(rle)) for rle in rles],
        }
        timings = {label: Timing.of(spent) for label, spent in in_turn(sides, REPEATS).items()}
    full, boxes = (timings[f"decode and encode 20 masks, {side}"].median for side in ("pycocotools", "boxes"))
    rows = [row(label, timing) for label, timing in timings.items()]
    return suite_report("io", rows, [Ratio("run lengths inside the box", full / boxes)])


def by_pycocotools(rles: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [coco_mask.encode(np.asfortranarray(coco_mask.decode(rle))) for rle in rles]
