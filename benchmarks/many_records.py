"""Results files of any size: time and peak memory of reading, writing and refining 1, 2.5 and 5 million records.

    python benchmarks/many_records.py [--counts 1000000 2500000 5000000] [--folder FOLDER] [--out docs/results/many_records.json]

Every file is generated from a seed (400 bytes a record, seven records an image, 2 GB for the largest), is measured by two processes
that do nothing else, and is deleted. Needs Linux, and twice the largest file in FOLDER.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # benchmarks/ is part of the checkout, not of the package

from benchmarks.measuring import provenance  # noqa: E402
from bpr.geometry.masks import BoxMask  # noqa: E402
from bpr.geometry.rle import encode_mask  # noqa: E402
from bpr.io.files import write_json, write_json_list  # noqa: E402
from bpr.io.record_file import RecordFile  # noqa: E402

COUNTS = (1_000_000, 2_500_000, 5_000_000)
FRAME = (240, 320)
PER_IMAGE, SHAPES = 7, 400
MIN_SCORE = 0.999
"""One record of a thousand is refined: this is about the records, not about the network."""
PROGRAM = "import sys; from benchmarks import many_records; many_records.{step}(*sys.argv[1:])"


def measured(count: int, folder: Path) -> dict[str, Any]:
    """What a file of ``count`` records costs; it is written first and deleted at last."""
    results = folder / "results.json"
    write_results(results, count)
    row: dict[str, Any] = {"records": count, "bytes": results.stat().st_size}
    row["file"] = _process("through_the_file", results, folder / "written.json")
    if not filecmp.cmp(results, folder / "written.json", shallow=False):
        raise RuntimeError(f"{count} records: expected to be written as they were read")
    row["refine"] = _process("refine", results, folder / "written.json", folder / "image.png")
    for path in (results, folder / "written.json"):
        path.unlink()
    return row


def _process(step: str, *words: Path) -> dict[str, Any]:
    command = [sys.executable, "-c", PROGRAM.format(step=step), *map(str, words)]
    printed = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return found


def through_the_file(results: str, out: str) -> None:
    """Index the file, draw its records one by one as refining does, write them again in their order; print what each took."""
    steps: dict[str, Any] = {}
    records = _timed(steps, "index", lambda: RecordFile(results))
    _timed(steps, "one by one", lambda: sum("image_id" in records[index] for index in range(len(records))))
    _timed(steps, "write", lambda: write_json_list(out, records))
    print(json.dumps({"steps": steps, "peak_mib": _peak_mib()}))


def refine(results: str, out: str, image: str) -> None:
    """The whole command, in which every image is the same one."""
    from bpr.cli.main import main

    steps: dict[str, Any] = {}
    words = [results, "--img-dir", image, "--model", "identity", "--min-score", str(MIN_SCORE), "--out", out]
    if _timed(steps, "refine", lambda: main(["refine", *words])):
        raise RuntimeError("bpr refine failed")
    print(json.dumps({"steps": steps, "peak_mib": _peak_mib()}))


def _timed(steps: dict[str, Any], name: str, step: Callable[[], Any]) -> Any:
    wall, processor = time.perf_counter(), time.process_time()
    done = step()
    steps[name] = {"seconds": time.perf_counter() - wall, "processor_seconds": time.process_time() - processor}
    return done


def _peak_mib() -> float:
    """The most memory that this process has held; its parent's counts into what getrusage says."""
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM:")) / 1024


def write_results(path: Path, count: int, seed: int = 0) -> None:
    """``count`` records as json.dump writes them, and beside them the image that their masks have the size of."""
    rng = np.random.default_rng(seed)
    cv2.imwrite(str(path.with_name("image.png")), rng.integers(0, 256, (*FRAME, 3), dtype=np.uint8))
    shapes = [json.dumps({"bbox": mask.bbox, "segmentation": encode_mask(mask)})[1:-1] for mask in _blobs(rng)]
    with open(path, "w", encoding="utf-8") as file:
        for start in range(0, count, 100_000):
            size = min(100_000, count - start)
            drawn = zip(rng.integers(SHAPES, size=size), rng.integers(1, 91, size), rng.random(size).round(6).tolist(), strict=True)
            rows = (
                f'{{"image_id": {(start + number) // PER_IMAGE}, "category_id": {category}, "score": {score}, {shapes[shape]}}}'
                for number, (shape, category, score) in enumerate(drawn)
            )
            file.write(f"{', ' if start else '['}{', '.join(rows)}")
        file.write("]")


def _blobs(rng: np.random.Generator) -> list[BoxMask]:
    """Disks with a ragged boundary, as detectors draw them."""
    grid = np.indices(FRAME)
    centres, radii = rng.uniform((60, 60), (180, 260), (SHAPES, 2)), rng.uniform(8, 60, SHAPES)
    noise = (cv2.GaussianBlur(rng.normal(size=FRAME), (0, 0), 3) * 40 for _ in range(SHAPES))
    distances = (np.hypot(*(grid - centre[:, None, None])) for centre in centres)
    return [BoxMask.from_frame(distance + rough < radius) for distance, rough, radius in zip(distances, noise, radii, strict=True)]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--folder", type=Path, help="where the files lie for a while (default: the system's)")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/many_records.json")
    args = parser.parse_args(argv)
    settings = {"per_image": PER_IMAGE, "min_score": MIN_SCORE}
    report: dict[str, Any] = {"command": "python benchmarks/many_records.py", "settings": settings, "provenance": provenance(), "rows": []}
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        for count in args.counts:
            report["rows"].append(measured(count, Path(name)))
            write_json(args.out, report, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
