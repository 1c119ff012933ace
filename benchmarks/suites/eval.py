"""``bpr eval`` beside pycocotools' AP alone, on real detections of COCO val: processor seconds and peak memory.

Each run is a process of its own with one thread; the sides take turns. ``bpr eval`` measures AP, Boundary AP, matched
pairs and the three AF.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.inputs import SHARED, VAL
from benchmarks.measuring import ONE_THREAD, RUN_BPR, Ratio, Timing, program_costs, row, suite_report
from bpr.io.files import read_json, write_json

REPEATS = 5
MOST_TIMES = 3
"""``bpr eval`` may take so many times as long as pycocotools' AP."""
REFERENCE = """
import sys
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
truth = COCO(sys.argv[2])
evaluation = COCOeval(truth, truth.loadRes(sys.argv[1]), "segm")
evaluation.evaluate(); evaluation.accumulate(); evaluation.summarize()
"""


def measure() -> dict[str, Any]:
    _, annotations, results = (SHARED / path for path in VAL["coco_val2017"])
    with tempfile.TemporaryDirectory() as folder:
        twice = twice_as_many(results, Path(folder) / "twice.json")
        sides = {
            "pycocotools, mask AP alone": (REFERENCE, results, annotations),
            "bpr eval, AP + Boundary AP + matched + three AF": (RUN_BPR, "eval", results, "--ann", annotations),
            "bpr eval, every detection twice": (RUN_BPR, "eval", twice, "--ann", annotations),
        }
        runs = [
            {name: program_costs(*program, environment=ONE_THREAD)[1] for name, program in sides.items()} for _ in range(REPEATS)
        ]
    timings = {name: Timing.of([one[name]["processor_seconds"] for one in runs]) for name in sides}
    peaks = {name: max(one[name]["peak_mib"] for one in runs) for name in sides}
    reference, ours, _ = timings.values()
    ratios = [Ratio("bpr eval against pycocotools", reference.median / ours.median, 1 / MOST_TIMES)]
    return suite_report("eval", [row(name, timing, peak_mib=peaks[name]) for name, timing in timings.items()], ratios)


def twice_as_many(results: Path, out: Path) -> Path:
    """Write every detection twice, which shows what a detection costs."""
    records: list[dict[str, Any]] = read_json(results, "COCO results")
    write_json(out, records + [{**record, "score": record["score"] * 0.999} for record in records])
    return out
