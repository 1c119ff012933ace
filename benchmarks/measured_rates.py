"""What a refined image costs, read from what ``bpr refine`` printed into docs/results/."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from bpr.errors import BPRError

RESULTS = Path(__file__).parents[1] / "docs" / "results"
BESIDE_THE_NETWORK = ("read", "decode masks", "cut", "put back", "encode")


@dataclass(frozen=True)
class Rates:
    """Means over the images of a run; CPU seconds are those of its threads beside the network."""

    images: int
    patches_per_image: float
    records_per_image: float
    cpu_seconds_per_image: float
    network_seconds_per_image: float
    stages: dict[str, float]


def measured_rates(name: str) -> Rates:
    """The rates of the run whose two lines lie in ``docs/results/NAME.refine.txt``.

    Raises:
        BPRError: there is no such file, or another text in it.
    """
    path = RESULTS / f"{name}.refine.txt"
    if not path.is_file():
        raise BPRError(f"{path}: no such file; benchmarks/evaluate_model.sh writes it")
    return rates_of(path.read_text())


def rates_of(printed: str) -> Rates:
    """The rates that two printed lines spell.

    >>> rates_of("2 images, 80 patches in 4.0 s (read 0.1, cut 0.3, forward 4.0); network 100%\\n8 of 9 records refined")
    Rates(images=2, patches_per_image=40.0, records_per_image=4.0, cpu_seconds_per_image=0.2, network_seconds_per_image=2.0, \
stages={'read': 0.05, 'cut': 0.15, 'forward': 2.0})
    """
    counts = re.search(r"(\d+) images, (\d+) patches", printed)
    refined = re.search(r"(\d+) of \d+ records refined", printed)
    stages = {name: float(seconds) for name, seconds in re.findall(r"([a-z][a-z ]*) (\d+\.\d+)[,)]", printed)}
    if not counts or not refined or "forward" not in stages:
        raise BPRError(f"expected the two lines of bpr refine, got {printed[:80]!r}")
    images = int(counts[1])
    beside = sum(stages.get(name, 0.0) for name in BESIDE_THE_NETWORK)
    each = {name: seconds / images for name, seconds in stages.items()}
    return Rates(images, int(counts[2]) / images, int(refined[1]) / images, beside / images, each["forward"], each)
