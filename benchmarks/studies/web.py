"""How long the refiner in JavaScript takes (web/refine.js on onnxruntime-web, under node), beside Python's.

    npm ci --prefix web --ignore-scripts && python -m benchmarks.studies.web

One painted frame of 480p with a coarse mask of every object, by one thread and by two. Every side runs in a process of
its own: once to warm up, then some rounds.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import RESULTS, ROOT, Timing, made_on, markdown_table, provenance, row, script_parser, seconds_of, write_report
from bpr.backends import model_file
from bpr.backends.onnx_runtime import OnnxPredictor
from bpr.io.files import write_json
from bpr.refinement.refiner import Refiner
from bpr.scenes import coarse_masks, paint_scene
from tools.build_web import RUNTIME, settings_of

FRAME = (480, 854)
MODELS = ("starter-fast", "starter")
THREADS = (1, 2)
ROUNDS = 5
PACKAGES = ("bpr", "numpy", "opencv-python-headless", "onnxruntime")


@dataclass(frozen=True)
class Case:
    """An (H, W, 3) image, its (N, H, W) bool masks, and the largest object that is refined at once."""

    name: str
    image: np.ndarray
    masks: np.ndarray
    object_size: int


def write_cases(folder: Path, cases: Sequence[Case], model: Path) -> None:
    """The files that web/refine_cases.js reads."""
    write_json(folder / "settings.json", settings_of(model))
    listed = []
    for case in cases:
        count, height, width = case.masks.shape
        listed.append({"name": case.name, "width": width, "height": height, "masks": count, "object_size": case.object_size})
        np.dstack([case.image, np.full((height, width), 255, np.uint8)]).tofile(folder / f"{case.name}.image")
        case.masks.tofile(folder / f"{case.name}.masks")
    write_json(folder / "cases.json", listed)


def in_node(folder: Path, *arguments: str | Path | int) -> dict[str, Any]:
    """The results of web/refine_cases.js."""
    subprocess.run(["node", ROOT / "web" / "refine_cases.js", folder, *map(str, arguments)], check=True, timeout=900)
    return json.loads((folder / "results.json").read_text())


def measure(model: str) -> list[dict[str, Any]]:
    scene, path = paint_scene(0, FRAME), model_file(model)
    masks = np.array([mask.to_frame() for mask in coarse_masks(scene, "prototype")])
    rows = []
    for threads in THREADS:
        refiner = Refiner(OnnxPredictor(path, threads=threads))
        patches = sum(len(one.boxes) for one in refiner(scene.image, masks, return_patches=True).patches)
        python = [seconds_of(lambda refiner=refiner: refiner(scene.image, masks)) for _ in range(ROUNDS)]
        with tempfile.TemporaryDirectory() as folder:
            cases = [Case(f"{number}", scene.image, masks, refiner.options.object_size or 0) for number in range(ROUNDS + 1)]
            write_cases(Path(folder), cases, path)
            node = [found["seconds"] for found in in_node(Path(folder), path, threads).values()][1:]
        for side, seconds in (("Python", python), ("node", node)):
            columns = {"model": model, "threads": threads, "masks": len(masks), "patches": patches}
            rows.append(row(side, Timing.of(seconds), **columns))
    return rows


def table(report: dict[str, Any]) -> str:
    """A line per model and number of threads: both sides, and their ratio."""
    rows, lines = report["rows"], []
    for python, node in zip(rows[::2], rows[1::2], strict=True):
        times = [side["seconds"]["median"] for side in (python, node)]
        lines.append([python["model"], str(python["threads"]), *(f"{time:.2f}" for time in times), f"{times[1] / times[0]:.1f}"])
    head = ["model", "threads", "Python, seconds", "node, seconds", "times"]
    note = f"{made_on(report)}, {report['node']}; a frame of 854x480 with {rows[0]['masks']} masks, {rows[0]['patches']} patches."
    return f"{note}\n\n{markdown_table(head, lines)}\n"


def main() -> None:
    args = script_parser(__doc__, RESULTS / "web.json").parse_args()
    if not RUNTIME.is_dir():
        raise SystemExit("onnxruntime-web is not installed; run npm ci --prefix web --ignore-scripts")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    rows = [one for model in MODELS for one in measure(model)]
    report = {"provenance": provenance(PACKAGES), "node": f"node {version}", "rows": rows}
    write_report(args.out, report, table(report))


if __name__ == "__main__":
    main()
