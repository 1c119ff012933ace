"""Peak memory of ``bpr refine`` against the number of images: one small image under 100 and under 2,000 ids.

Every run is a process of its own; it holds the runtime, the model, the images in flight and some bytes per record.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.measuring import Ratio, Timing, program_costs, row, suite_report
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask
from bpr.io.files import write_json

COUNTS = (100, 2000)
FRAME = (240, 320)
MODEL = "starter-fast"
MOST_GROWTH = 1.10
PROGRAM = """
import sys, time
from bpr.cli.main import main
start = time.perf_counter()
if main(["refine", *sys.argv[1:]]): sys.exit(1)
print(time.perf_counter() - start)
"""


def measure() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        runs = {count: run(Path(folder), count) for count in COUNTS}
    spent = {count: Timing.of([one["seconds"]]) for count, one in runs.items()}
    rows = [row(f"{count} images", spent[count], peak_mib=one["peak_mib"]) for count, one in runs.items()]
    few, many = (runs[count]["peak_mib"] for count in COUNTS)
    ratio = Ratio(f"peak memory, {COUNTS[0]} images of {COUNTS[1]} images", few / many, 1 / MOST_GROWTH)
    return suite_report("memory", rows, [ratio], {"model": MODEL, "frame": "x".join(map(str, FRAME)), "instances": 1})


def run(folder: Path, count: int) -> dict[str, float]:
    """Seconds and peak MiB of one process that refines ``count`` images."""
    write_images(folder, count)
    files = [folder / "results.json", "--ann", folder / "images.json", "--img-dir", folder]
    lines, costs = program_costs(PROGRAM, *files, "--model", MODEL, "--workers", 2, "--out", folder / "refined.json")
    return {"seconds": float(lines[-1]), "peak_mib": costs["peak_mib"]}


def write_images(folder: Path, count: int) -> None:
    """Write one image of noise with a disk, and ``count`` ids that share it."""
    pixels = np.random.default_rng(0).integers(0, 256, (*FRAME, 3), dtype=np.uint8)
    cv2.imwrite(str(folder / "image.png"), pixels)
    disk = encode_mask(BoxMask.from_frame(cv2.circle(np.zeros(FRAME, np.uint8), (160, 120), 30, 1, -1)))
    record = {"category_id": 1, "score": 0.9, "segmentation": disk}
    write_json(folder / "results.json", [{"image_id": i, **record} for i in range(count)])
    entries = [{"id": i, "file_name": "image.png", "height": FRAME[0], "width": FRAME[1]} for i in range(count)]
    write_json(folder / "images.json", {"images": entries, "annotations": [], "categories": []})
