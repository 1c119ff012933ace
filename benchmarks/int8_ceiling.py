"""Whether two cores could refine 25 times as fast as the old procedure with the same network, were nothing else to do.

    python benchmarks/int8_ceiling.py [--out docs/results/int8_ceiling]

Beside what `tools/benchmark.py refine` found: the multiply-adds a second that its target asks for, those that the best
backend does now, and those of one large product of byte matrices in torch, which no network reaches. Writes OUT.json and OUT.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # benchmarks/ is part of the checkout, not of the package

from benchmarks.exported_networks import exported_network  # noqa: E402
from benchmarks.photos import street_photos  # noqa: E402
from benchmarks.suites.refine import NETWORK, TARGETS  # noqa: E402
from bpr.backends import load_predictor  # noqa: E402
from bpr.geometry.proposals import patch_boxes  # noqa: E402
from bpr.geometry.rle import decode_mask  # noqa: E402
from bpr.io.files import atomic_open, read_json, write_json  # noqa: E402
from bpr.training.complexity import multiply_adds  # noqa: E402

SIDE, REPEATS = 4096, 5


def patches_per_scene(folder: Path) -> float:
    scheme = load_predictor(NETWORK).scheme
    photos = street_photos(folder)
    return sum(len(patch_boxes(decode_mask(record["segmentation"]), scheme)) for photo in photos for record in photo.records) / len(photos)


def product_rate() -> float:
    """Multiply-adds a second of a product of two byte matrices, the best of some."""
    a, b = torch.randint(-128, 128, (2, SIDE, SIDE), dtype=torch.int8)
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        torch._int_mm(a, b)
        seconds.append(time.perf_counter() - start)
    return SIDE**3 / min(seconds)


def measure(folder: Path) -> dict[str, Any]:
    rows = read_json(ROOT / "docs/results/benchmark_refine.json", "a report of tools/benchmark.py refine")["rows"]
    seconds = {row["name"]: row["seconds"]["median"] for row in rows}
    work = patches_per_scene(folder) * multiply_adds(exported_network(NETWORK))
    old, best = seconds["old procedure, whole"], min(value for name, value in seconds.items() if name.startswith(f"ours, {NETWORK}"))
    target = TARGETS["same network"]
    return {"target": target, "work": work, "asked": target * work / old, "done": work / best, "product": product_rate()}


def markdown(found: dict[str, Any]) -> str:
    lines = ["| multiply-adds a second | billions | of the product |", "|---|---:|---:|"]
    product, asked = f"product of two {SIDE} x {SIDE} matrices of bytes", f"{found['target']} times the old procedure"
    names = {"product": product, "asked": asked, "done": "ours"}
    lines += [f"| {label} | {found[name] / 1e9:.0f} | {found[name] / found['product']:.0%} |" for name, label in names.items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/int8_ceiling")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = {**measure(Path(folder)), "date": time.strftime("%Y-%m-%d"), "threads": torch.get_num_threads(), "torch": torch.__version__}
    write_json(args.out.with_suffix(".json"), found, indent=1)
    with atomic_open(args.out.with_suffix(".md")) as file:
        file.write(markdown(found))
    print(markdown(found), end="")


if __name__ == "__main__":
    main()
