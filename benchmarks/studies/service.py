"""Latency and memory of a service: one process with few and many callers, against several processes.

    python -m benchmarks.studies.service

Every caller sends the same painted photo with its masks, one request after the other. All processes of a row are new, so
that their peak memory is their own.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

import bpr
from benchmarks.measuring import RESULTS, in_own_process, made_on, markdown_table, peak_mebibytes, provenance, script_parser, write_report
from bpr.backends import DEFAULT_MODEL
from bpr.scenes import coarse_masks, paint_scene

FRAME = (480, 640)
SEED = 1
REQUESTS = 5
"""Of every caller."""


@dataclass(frozen=True)
class Setting:
    """One way to serve: processes, callers of each, and arguments of :func:`bpr.load`."""

    processes: int
    callers: int
    backend: str = "onnxruntime"
    threads: int | None = None
    batch_size: int | None = None


SETTINGS = (
    Setting(1, 1),
    Setting(1, 8),
    Setting(1, 1, batch_size=16),
    Setting(1, 8, batch_size=16),
    Setting(1, 8, backend="openvino"),
    Setting(2, 4, threads=1, batch_size=16),
)


def serve(setting: Setting) -> dict[str, Any]:
    """In this process: the seconds of every request, from when it was sent, and the peak memory in MiB."""
    scene = paint_scene(SEED, FRAME)
    masks = np.stack([mask.to_frame() for mask in coarse_masks(scene, "mask_head", SEED)])
    refiner = bpr.load(backend=setting.backend, threads=setting.threads, batch_size=setting.batch_size)
    refiner(scene.image, masks)

    def caller(number: int) -> list[float]:
        spent = []
        for _ in range(REQUESTS):
            start = time.perf_counter()
            refiner(scene.image, masks)
            spent.append(time.perf_counter() - start)
        return spent

    start = time.perf_counter()
    with ThreadPoolExecutor(setting.callers) as pool:
        seconds = [each for spent in pool.map(caller, range(setting.callers)) for each in spent]
    wall = time.perf_counter() - start
    return {"seconds": seconds, "wall": wall, "peak_mib": peak_mebibytes(), "masks": len(masks)}


def measure(setting: Setting) -> dict[str, Any]:
    """A row: all processes of a setting at once."""
    with ThreadPoolExecutor(setting.processes) as pool:
        running = [pool.submit(in_own_process, serve, setting) for _ in range(setting.processes)]
        found = [process.result() for process in running]
    seconds = [each for one in found for each in one["seconds"]]
    median, slow = np.percentile(seconds, [50, 95]).tolist()
    return {
        **vars(setting),
        "median_seconds": median,
        "p95_seconds": slow,
        "per_second": sum(len(one["seconds"]) / one["wall"] for one in found),
        "peak_mib": sum(one["peak_mib"] for one in found),
        "masks": found[0]["masks"],
    }


def table(report: dict[str, Any]) -> str:
    note = (
        f"`{report['command']}`, {made_on(report)}: "
        f"`{DEFAULT_MODEL}`, {FRAME[1]}x{FRAME[0]} pixels, {report['rows'][0]['masks']} masks a request. Processes of "
        f"others that wanted a core at the start: {report['load']:.1f}."
    )
    head = ["processes x callers", "backend", "threads", "batch size", "median s", "95 % s", "requests/s", "peak MiB"]
    rows = [
        [
            f"{row['processes']} x {row['callers']}",
            row["backend"],
            str(row["threads"] or "all"),
            str(row["batch_size"] or "default"),
            f"{row['median_seconds']:.2f}",
            f"{row['p95_seconds']:.2f}",
            f"{row['per_second']:.2f}",
            f"{row['peak_mib']:.0f}",
        ]
        for row in report["rows"]
    ]
    return f"{note}\n\n{markdown_table(head, rows, left=2)}\n"


def main() -> None:
    args = script_parser(__doc__, RESULTS / "service.json").parse_args()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    rows = [measure(setting) for setting in SETTINGS]
    command = "python -m benchmarks.studies.service"
    report = {"command": command, "provenance": provenance(), "requests": REQUESTS, "load": load, "rows": rows}
    write_report(args.out, report, table(report))


if __name__ == "__main__":
    main()
