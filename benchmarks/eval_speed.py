"""How long ``bpr eval`` takes beside pycocotools' AP alone, and how much memory.

    python benchmarks/eval_speed.py results.segm.json --ann instances.json --out docs/results/eval_speed.json

Each run is a process of its own, one thread, the two in turn; what counts is processor time, which other work on the
machine does not lengthen. Measured: AP, Boundary AP, matched pairs and the three AF of ``bpr eval`` on one file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bpr.cli.eval import PACKAGES
from bpr.cli.options import versions_of
from bpr.formats.files import atomic_open, write_json

REFERENCE = """
import sys
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
truth = COCO(sys.argv[2])
evaluation = COCOeval(truth, truth.loadRes(sys.argv[1]), "segm")
evaluation.evaluate(); evaluation.accumulate(); evaluation.summarize()
"""
OURS = """
import sys
from bpr.cli.main import main
main(["eval", sys.argv[1], "--ann", sys.argv[2]])
"""
REPORT = """
import json, resource
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"seconds": used.ru_utime + used.ru_stime, "peak_mib": used.ru_maxrss / 1024}))
"""
TARGET = 3


def run(code: str, results: str, annotations: str) -> dict[str, float]:
    """Processor seconds and peak memory of one process."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code + REPORT, results, annotations]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    return dict(json.loads(printed.splitlines()[-1]))


def measure(results: str, annotations: str, repeats: int) -> dict[str, Any]:
    """Medians of both, run in turn."""
    runs = [(run(REFERENCE, results, annotations), run(OURS, results, annotations)) for _ in range(repeats)]
    sides = {name: [pair[index] for pair in runs] for index, name in enumerate(("pycocotools", "bpr"))}
    medians = {name: {key: statistics.median(one[key] for one in own) for key in own[0]} for name, own in sides.items()}
    return {**medians, "ratio": medians["bpr"]["seconds"] / medians["pycocotools"]["seconds"], "target": TARGET, "repeats": repeats}


def twice_as_many(results: str, folder: Path) -> str:
    """The same detections twice: what grows then is what a detection costs."""
    path = folder / "twice.json"
    records = json.loads(Path(results).read_text(encoding="utf-8"))
    write_json(path, records + [{**record, "score": record["score"] * 0.999} for record in records])
    return str(path)


def markdown(report: dict[str, Any]) -> str:
    head = "| | processor seconds | peak MiB |\n|---|---:|---:|"
    names = {"pycocotools": "pycocotools, mask AP alone", "bpr": "bpr eval, AP + Boundary AP + matched + three AF"}
    lines = [f"| {label} | {report[name]['seconds']:.2f} | {report[name]['peak_mib']:.0f} |" for name, label in names.items()]
    twice = f"| bpr eval, every detection twice | {report['twice']['seconds']:.2f} | {report['twice']['peak_mib']:.0f} |"
    said = f"{report['records']} detections; ratio {report['ratio']:.2f} (target: below {report['target']})."
    return "\n".join([said, "", head, *lines, twice]) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Time of bpr eval beside pycocotools' AP alone.")
    parser.add_argument("results", help="COCO results JSON")
    parser.add_argument("--ann", required=True, help="COCO annotation file")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", required=True, metavar="JSON", help="write the numbers there and the table beside it (.md)")
    args = parser.parse_args(argv)
    report = measure(args.results, args.ann, args.repeats)
    out = Path(args.out)
    doubled = twice_as_many(args.results, out.parent)
    report["twice"] = run(OURS, doubled, args.ann)
    Path(doubled).unlink()
    report["records"] = len(json.loads(Path(args.results).read_text(encoding="utf-8")))
    machine = {"processor": platform.processor() or platform.machine(), "python": platform.python_version(), "numpy": np.__version__}
    write_json(out, {**report, "machine": machine, "versions": versions_of(PACKAGES), "results": Path(args.results).name}, indent=2)
    with atomic_open(out.with_suffix(".md")) as file:
        file.write(markdown(report))
    print(markdown(report), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
