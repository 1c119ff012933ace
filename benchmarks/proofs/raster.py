"""Refine many small objects in one large GeoTIFF: time and peak memory against their number, and a run that is killed.

    python -m benchmarks.proofs.raster [--kill] [--out docs/results/raster.json]

Generates an RGB image and a uint32 label raster in tiles, with ellipses of 14 to 26 px that touch now and then, each
labelled 3 px too large. The image is a little blurred and noisy: the verdict refuses most changes on an image that is
neither, and a run that changes nothing proves nothing. Every run is a process of its own. Growth is judged by processor
time, because other work on the machine does not count in it. With --kill the first run is repeated, killed in its middle
and resumed, and the bytes are compared. The results are written after every run. Needs the [raster] extra.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile

from benchmarks.measuring import (
    ONE_THREAD,
    RESULTS,
    RUN_BPR,
    made_on,
    markdown_table,
    program_costs,
    provenance,
    script_parser,
    write_report,
)

SIDE, OBJECTS, MODEL = 20_000, (10_000, 50_000, 100_000), "starter-fast"
TILE = 512
GROUND = 88
"""The grey value between the objects."""
REACH = 20
"""Pixels from the middle of an object to its farthest pixel, at most."""
PLACED = [
    (33550, "d", 3, (0.5, 0.5, 0.0), True),
    (33922, "d", 6, (0, 0, 0, 5e5, 4e6, 0), True),
    (34735, "H", 8, (1, 1, 0, 1, 3072, 0, 1, 32633), True),
]


class Objects:
    """Ellipses on a jittered grid, of which ``count`` places are taken."""

    def __init__(self, side: int, count: int) -> None:
        rng = np.random.default_rng(0)
        places = int(np.ceil(np.sqrt(count)))
        step = side / places
        chosen = rng.permutation(places**2)[:count]
        middles = np.stack([chosen % places, chosen // places], axis=1) * step + step / 2
        self.middles = np.rint(middles + rng.uniform(-0.35, 0.35, middles.shape) * step).astype(int)
        self.axes, self.angles = rng.integers(7, 13, (count, 2)), rng.uniform(0, 180, count)
        self.colours, self.side = rng.integers(140, 255, (count, 3)), side

    def tiles(self, labels: bool) -> Iterator[np.ndarray]:
        """The tiles of the image or of the labels, row by row."""
        noise = np.random.default_rng(1).integers(-8, 9, (TILE, TILE, 3), np.int16)
        for top in range(0, self.side, TILE):
            in_row = np.flatnonzero(np.abs(self.middles[:, 1] - top - TILE / 2) < TILE / 2 + REACH)
            for left in range(0, self.side, TILE):
                near = in_row[np.abs(self.middles[in_row, 0] - left - TILE / 2) < TILE / 2 + REACH]
                tile = np.zeros((TILE, TILE), np.int32) if labels else np.full((TILE, TILE, 3), GROUND, np.uint8)
                for index in near.tolist():
                    middle = (self.middles[index] - (left, top)).tolist()
                    axes = (self.axes[index] + 3 * labels).tolist()
                    value = index + 1 if labels else self.colours[index].tolist()
                    cv2.ellipse(tile, middle, axes, float(self.angles[index]), 0, 360, value, -1)
                yield tile.astype(np.uint32) if labels else _photographed(tile, noise)


def _photographed(tile: np.ndarray, noise: np.ndarray) -> np.ndarray:
    return np.clip(cv2.GaussianBlur(tile, (0, 0), 1.0) + noise, 0, 255).astype(np.uint8)


def write(folder: Path, count: int) -> None:
    objects = Objects(SIDE, count)
    options = {"tile": (TILE, TILE), "compression": "zlib", "compressionargs": {"level": 1}, "extratags": PLACED}
    rgb = {"shape": (SIDE, SIDE, 3), "dtype": np.uint8, "photometric": "rgb"}
    tifffile.imwrite(folder / "image.tif", objects.tiles(labels=False), **rgb, **options)
    tifffile.imwrite(folder / "labels.tif", objects.tiles(labels=True), shape=(SIDE, SIDE), dtype=np.uint32, **options)


def refine_words(folder: Path, out: Path) -> list[str]:
    files = [str(folder / "labels.tif"), "--img-dir", str(folder / "image.tif"), "--out", str(out)]
    return ["refine", *files, "--model", MODEL, "--workers", "2"]


def run(folder: Path, count: int) -> dict[str, Any]:
    """What one process needs to refine ``count`` objects, and how many of them the verdict changed."""
    write(folder, count)
    start = time.perf_counter()
    lines, spent = program_costs(RUN_BPR, *refine_words(folder, folder / "refined.tif"), environment=ONE_THREAD)
    seconds = time.perf_counter() - start
    print(*lines, f"{count} objects: {seconds:.0f} s, {spent}", sep="\n", flush=True)
    costs = {"seconds": round(seconds, 1), "processor_seconds": round(spent["processor_seconds"], 1)}
    return {"objects": count, **costs, "peak_mib": round(spent["peak_mib"]), "report": [line.partition(" -> ")[0] for line in lines[-2:]]}


def growth(rows: Sequence[dict[str, Any]]) -> float | None:
    """The exponent of processor time in the number of objects, by least squares; None for a single run."""
    if len(rows) < 2:
        return None
    counts, seconds = (np.log([row[key] for row in rows]) for key in ("objects", "processor_seconds"))
    return round(float(np.polyfit(counts, seconds, 1)[0]), 3)


def killed(folder: Path) -> bool:
    """Whether a run that is killed in its middle and resumed writes the bytes of the one before."""
    out, journals = folder / "again.tif", folder / ".again.tif.run"
    command = [sys.executable, "-c", RUN_BPR, *refine_words(folder, out)]
    environment = {**os.environ, **ONE_THREAD}
    whole = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
    assert whole.stderr is not None
    for line in whole.stderr:
        found = re.match(r"refining: (\d+)/(\d+)", line)
        if found and 2 * int(found[1]) >= int(found[2]):
            break
    whole.kill()
    whole.wait()
    assert journals.is_dir()
    assert not out.exists()
    subprocess.run([*command, "--resume"], capture_output=True, check=True, env=environment)
    return out.read_bytes() == (folder / "refined.tif").read_bytes()


def main() -> None:
    parser = script_parser(__doc__, RESULTS / "raster.json")
    parser.add_argument("--kill", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        report = {"command": f"python -m benchmarks.proofs.raster{' --kill' * args.kill}", "side": SIDE, "model": MODEL}
        report |= {"provenance": provenance(("bpr", "numpy", "opencv-python-headless", "tifffile")), "rows": []}
        for count in OBJECTS:
            report["rows"].append(run(folder, count))
            report["growth"] = growth(report["rows"])
            if args.kill and len(report["rows"]) == 1:
                report["resumed_bytes_equal"] = killed(folder)
            write_report(args.out, report, f"{table(report)}\n")


def table(report: dict[str, Any]) -> str:
    """A row for each number of objects, below what the rows show."""
    names = ["objects", "changed", "seconds", "processor seconds", "processor ms per object", "peak MiB"]
    cells = []
    for row in report["rows"]:
        count, seconds, spent, peak = (row[key] for key in ("objects", "seconds", "processor_seconds", "peak_mib"))
        numbers = [f"{seconds:.0f}", f"{spent:.0f}", f"{1000 * spent / count:.1f}", f"{peak}"]
        cells.append([f"{count:,}", f"{changed(row['report'][-1]):,}", *numbers])
    note = f"{made_on(report)}, `{report['model']}`, {report['side']:,} pixels a side."
    if report["growth"] is not None:
        note += f" Processor time grows with the number of objects to the power of {report['growth']:.2f}."
    if "resumed_bytes_equal" in report:
        outcome = "equal" if report["resumed_bytes_equal"] else "**other**"
        note += f" Killed in its middle and resumed, the first run wrote {outcome} bytes."
    return f"{note}\n\n{markdown_table(names, cells, left=0)}"


def changed(summary: str) -> int:
    """How many objects a run changed, by the last line that it printed; a model without a verdict says nothing of it."""
    found = re.search(r"verdict: (\d+) changed as proposed, (\d+) in part", summary)
    return sum(map(int, found.groups())) if found else 0


if __name__ == "__main__":
    main()
