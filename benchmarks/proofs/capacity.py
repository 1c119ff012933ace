"""Ten million images on 1, 8 and 64 GPUs, on paper: hours, cores, disks and journals from measured rates.

    python -m benchmarks.proofs.capacity RESULTS.segm.json --img-dir images [--gpu-rate 20000]

Measured: patches, records and CPU seconds per image (docs/results/*.refine.txt), bytes per image and record (of the
files that the arguments name). Assumed: the rates of a GPU and of the disks.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.measuring import RESULTS, markdown_table, script_parser, write_report
from bpr.errors import BPRError
from bpr.formats.coco import read_results

IMAGES = 10_000_000
GPUS = (1, 8, 64)
GPU_RATE = 20_000
"""Patches per second of one GPU: assumed."""
MERGE_BYTES_PER_SECOND = 500e6
"""Of one process that copies journals into one file: assumed, a solid-state disk."""
STAGES_ON_CPU = ("read", "decode masks", "cut", "put back", "encode")


@dataclass(frozen=True)
class Rates:
    """Means per image of a run; CPU seconds are those of its threads beside the network."""

    images: int
    patches_per_image: float
    records_per_image: float
    cpu_seconds_per_image: float
    network_seconds_per_image: float
    stages: dict[str, float]


def measured_rates(name: str) -> Rates:
    """The rates of the run whose two printed lines are in ``docs/results/NAME.refine.txt``.

    Raises:
        BPRError: the file is missing or holds another text.
    """
    path = RESULTS / f"{name}.refine.txt"
    if not path.is_file():
        raise BPRError(f"{path}: no such file; benchmarks/tables/evaluate_model.sh writes it")
    return rates_of(path.read_text())


def rates_of(printed: str) -> Rates:
    """The rates in the two lines that ``bpr refine`` prints.

    >>> text = "2 images, 80 patches in 4.0 s (read 0.1, cut 0.3, forward 4.0); network 100%\\n8 of 9 records refined"
    >>> rates = rates_of(text)
    >>> rates.patches_per_image, rates.records_per_image, rates.cpu_seconds_per_image, rates.network_seconds_per_image
    (40.0, 4.0, 0.2, 2.0)
    """
    counts = re.search(r"(\d+) images?, (\d+) patches", printed)
    refined = re.search(r"(\d+) of \d+ records refined", printed)
    stages = {name: float(seconds) for name, seconds in re.findall(r"([a-z][a-z ]*) (\d+\.\d+)[,)]", printed)}
    if not counts or not refined or "forward" not in stages:
        raise BPRError(f"expected the two lines of bpr refine, got {printed[:80]!r}")
    images = int(counts[1])
    cpu = sum(stages.get(name, 0.0) for name in STAGES_ON_CPU)
    each = {name: seconds / images for name, seconds in stages.items()}
    return Rates(images, int(counts[2]) / images, int(refined[1]) / images, cpu / images, each["forward"], each)


@dataclass(frozen=True)
class Sizes:
    """Mean bytes of an image file, and of a record in a results file."""

    image: float
    record: float

    @classmethod
    def of(cls, results: str, img_dir: str) -> Sizes:
        files = [path.stat().st_size for path in Path(img_dir).rglob("*") if path.is_file()]
        return cls(sum(files) / len(files), Path(results).stat().st_size / len(read_results(results)))


def layout(rates: Rates, sizes: Sizes, gpus: int, gpu_rate: float, images: int = IMAGES) -> dict[str, float]:
    """What it takes to keep all GPUs busy, each with a rank and a journal.

    >>> rates = Rates(1, 100, 10, cpu_seconds_per_image=0.1, network_seconds_per_image=1, stages={})
    >>> found = layout(rates, Sizes(image=100_000, record=250), gpus=2, gpu_rate=1000, images=72_000)
    >>> [found[name] for name in ("hours", "images_per_second", "read_mb_per_second", "cores")]
    [1.0, 20.0, 2.0, 2.0]
    """
    per_second = gpus * gpu_rate / rates.patches_per_image
    written = images * rates.records_per_image * sizes.record
    return {
        "gpus": gpus,
        "hours": images / per_second / 3600,
        "images_per_second": per_second,
        "read_mb_per_second": per_second * sizes.image / 1e6,
        "cores": per_second * rates.cpu_seconds_per_image,
        "journal_gb_per_rank": written / gpus / 1e9,
        "merge_minutes": written / MERGE_BYTES_PER_SECOND / 60,
    }


def report(rates: Rates, sizes: Sizes, gpu_rate: float) -> dict[str, Any]:
    totals = {
        "patches": IMAGES * rates.patches_per_image,
        "records": IMAGES * rates.records_per_image,
        "cpu_core_hours": IMAGES * rates.cpu_seconds_per_image / 3600,
        "image_tb": IMAGES * sizes.image / 1e12,
        "result_gb": IMAGES * rates.records_per_image * sizes.record / 1e9,
    }
    layouts = [layout(rates, sizes, gpus, gpu_rate) for gpus in GPUS]
    base = {"images": IMAGES, "gpu_rate": gpu_rate, "merge_bytes_per_second": MERGE_BYTES_PER_SECOND}
    return {**base, "rates": asdict(rates), "sizes": asdict(sizes), "totals": totals, "layouts": layouts}


def markdown(found: dict[str, Any]) -> str:
    """What was measured and assumed, and a row per number of GPUs."""
    rates, sizes, totals = found["rates"], found["sizes"], found["totals"]
    measured = (
        f"Measured per image: {rates['patches_per_image']:.0f} patches, {rates['records_per_image']:.1f} refined "
        f"records, {1000 * rates['cpu_seconds_per_image']:.0f} ms of one core beside the network, "
        f"{sizes['image'] / 1000:.0f} kB to read, {sizes['record']:.0f} bytes per record."
    )
    merge = found["merge_bytes_per_second"] / 1e6
    assumed = f"Assumed: {found['gpu_rate']:,.0f} patches a second of one GPU; {merge:.0f} MB a second for the merge."
    whole = (
        f"{found['images']:,} images: {totals['patches'] / 1e9:.2f} billion patches, {totals['records'] / 1e6:.0f} million "
        f"records, {totals['image_tb']:.2f} TB of images, {totals['result_gb']:.0f} GB of results, "
        f"{totals['cpu_core_hours']:.0f} core hours."
    )
    head = ("GPUs", "hours", "GPU hours", "images/s", "read MB/s", "cores", "journal of a rank", "merge")
    cells = []
    for row in found["layouts"]:
        hours = [f"{row['hours']:.2f}", f"{row['hours'] * row['gpus']:.1f}"]
        numbers = [f"{row[name]:.0f}" for name in ("images_per_second", "read_mb_per_second", "cores")]
        rest = [f"{row['journal_gb_per_rank']:.2f} GB", f"{row['merge_minutes']:.1f} min"]
        cells.append([str(row["gpus"]), *hours, *numbers, *rest])
    return "\n".join([measured, assumed, "", whole, "", markdown_table(head, cells, left=0)]) + "\n"


def main() -> None:
    parser = script_parser(__doc__, RESULTS / "capacity.json")
    parser.add_argument("results")
    parser.add_argument("--img-dir", required=True)
    parser.add_argument("--gpu-rate", type=float, default=GPU_RATE, help="patches per second of one GPU")
    args = parser.parse_args()
    found = report(measured_rates("coco_val2017"), Sizes.of(args.results, args.img_dir), args.gpu_rate)
    write_report(args.out, found, markdown(found))


if __name__ == "__main__":
    main()
