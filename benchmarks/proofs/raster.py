"""Refine many small objects in one large GeoTIFF: time and peak memory against their number, and a run that is killed.

    python -m benchmarks.proofs.raster [--side 20000] [--objects 10000 50000 100000] [--model starter-fast]
        [--kill] [--folder FOLDER] [--out docs/results/raster.json]

Generates an RGB image and a uint32 label raster in tiles, with ellipses of 14 to 26 px that touch now and then, a
coarse label for each. Every run is a process of its own. With --kill the last run is repeated, killed in its middle
and resumed, and the bytes are compared. Needs the [raster] extra.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile

from benchmarks.measuring import RESULTS, markdown_table, provenance, script_parser, write_report

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
TILE = 512
REACH = 20
"""Pixels from the middle of an object to its farthest pixel, at most."""
PLACED = [
    (33550, "d", 3, (0.5, 0.5, 0.0), True),
    (33922, "d", 6, (0, 0, 0, 5e5, 4e6, 0), True),
    (34735, "H", 8, (1, 1, 0, 1, 3072, 0, 1, 32633), True),
]
PROGRAM = """
import json, resource, sys
from bpr.cli.main import main
failed = main(["refine", *sys.argv[1:]])
print(json.dumps({"failed": failed, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


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
        texture = np.random.default_rng(1).integers(80, 96, (TILE, TILE, 3), np.uint8)
        for top in range(0, self.side, TILE):
            in_row = np.flatnonzero(np.abs(self.middles[:, 1] - top - TILE / 2) < TILE / 2 + REACH)
            for left in range(0, self.side, TILE):
                near = in_row[np.abs(self.middles[in_row, 0] - left - TILE / 2) < TILE / 2 + REACH]
                tile = np.zeros((TILE, TILE), np.int32) if labels else texture.copy()
                for index in near.tolist():
                    middle = self.middles[index] - (left, top) + ((2, -1) if labels else (0, 0))
                    axes = (self.axes[index] + 2 * labels).tolist()
                    value = index + 1 if labels else self.colours[index].tolist()
                    cv2.ellipse(tile, middle.tolist(), axes, float(self.angles[index]), 0, 360, value, -1)
                yield tile.astype(np.uint32) if labels else tile


def write(folder: Path, side: int, count: int) -> None:
    objects = Objects(side, count)
    options = {"tile": (TILE, TILE), "compression": "zlib", "compressionargs": {"level": 1}, "extratags": PLACED}
    rgb = {"shape": (side, side, 3), "dtype": np.uint8, "photometric": "rgb"}
    tifffile.imwrite(folder / "image.tif", objects.tiles(labels=False), **rgb, **options)
    tifffile.imwrite(folder / "labels.tif", objects.tiles(labels=True), shape=(side, side), dtype=np.uint32, **options)


def command(folder: Path, out: Path, model: str, *words: str) -> list[str]:
    files = [str(folder / "labels.tif"), "--img-dir", str(folder / "image.tif"), "--out", str(out)]
    return [sys.executable, "-c", PROGRAM, *files, "--model", model, "--workers", "2", *words]


def run(folder: Path, side: int, count: int, model: str) -> dict[str, Any]:
    """Seconds and peak MiB of one process that refines ``count`` objects."""
    write(folder, side, count)
    start = time.perf_counter()
    done = subprocess.run(
        command(folder, folder / "refined.tif", model), capture_output=True, text=True, check=True, env=ENVIRONMENT
    )
    seconds = time.perf_counter() - start
    *lines, last = done.stdout.splitlines()
    peak = float(last.split('"peak_mib": ')[1].rstrip("}"))
    print(*lines, f"{count} objects: {seconds:.0f} s, {peak:.0f} MiB", sep="\n", flush=True)
    return {"objects": count, "seconds": round(seconds, 1), "peak_mib": round(peak), "report": lines[-2:]}


def killed(folder: Path, model: str) -> bool:
    """Whether a run that is killed in its middle and resumed writes the bytes of the one before."""
    out, journals = folder / "again.tif", folder / ".again.tif.run"
    whole = subprocess.Popen(command(folder, out, model), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    assert whole.stderr is not None
    for line in whole.stderr:  # refining: 50000/100000
        done, _, total = line.rpartition(" ")[2].strip().partition("/")
        if total.isdecimal() and 2 * int(done) >= int(total):
            break
    whole.kill()
    whole.wait()
    assert journals.is_dir()
    assert not out.exists()
    subprocess.run(command(folder, out, model, "--resume"), capture_output=True, check=True, env=ENVIRONMENT)
    return out.read_bytes() == (folder / "refined.tif").read_bytes()


def main() -> int:
    parser = script_parser(__doc__, RESULTS / "raster.json")
    parser.add_argument("--side", type=int, default=20_000)
    parser.add_argument("--objects", type=int, nargs="+", default=[10_000, 50_000, 100_000])
    parser.add_argument("--model", default="starter-fast")
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--folder", type=Path, help="where the rasters are written (default: a temporary folder)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        rows = [run(folder, args.side, count, args.model) for count in args.objects]
        report = {"command": f"python -m benchmarks.proofs.raster --model {args.model}", "side": args.side, "model": args.model}
        report |= {"provenance": provenance(("bpr", "numpy", "opencv-python-headless", "tifffile")), "rows": rows}
        if args.kill:
            report["resumed_bytes_equal"] = killed(folder, args.model)
            print("killed and resumed, equal bytes:", report["resumed_bytes_equal"])
    pairs = [(one["objects"], one["seconds"], one["peak_mib"]) for one in rows]
    cells = [[f"{count:,}", f"{seconds:.0f}", f"{1000 * seconds / count:.1f}", f"{peak}"] for count, seconds, peak in pairs]
    table = markdown_table(["objects", "seconds", "ms per object", "peak MiB"], cells, left=0)
    write_report(args.out, report, f"{table}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
