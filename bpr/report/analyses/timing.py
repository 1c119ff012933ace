"""Where the time per image goes (supplement, section C): extraction, network, reassembly; and reading, decoding, writing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bpr.formats.coco import Record
from bpr.io.files import write_json
from bpr.io.images import ImageFinder
from bpr.refinement.refiner import Refiner
from bpr.refinement.runner import refine_records

PAPER = {"extraction": 52, "network": 81, "reassembly": 78}
"""Milliseconds per 1024x2048 image on an RTX 2080 Ti."""
STAGES = {
    "extraction": ("cut",),
    "network": ("forward",),
    "reassembly": ("put back",),
    "reading images": ("read",),
    "decoding masks": ("decode masks",),
    "encoding and writing": ("encode", "write"),
}


@dataclass(frozen=True)
class Timing:
    """Mean milliseconds per image of every part of STAGES."""

    images: int
    patches: int
    milliseconds: dict[str, float]


def time_stages(
    records: Sequence[Record], images: ImageFinder, refiner: Refiner, on_progress: Callable[[int], None] = lambda done: None
) -> Timing:
    """Refine ``records``, one stage after the other in one thread, so that the parts add up, and write them to a file."""
    refined, report = refine_records(records, images, refiner, workers=0, on_progress=on_progress)
    with TemporaryDirectory() as folder, report.clock.stage("write"):
        write_json(Path(folder) / "refined.json", refined)
    seconds = report.clock.seconds
    parts = {name: 1000 * sum(seconds.get(stage, 0.0) for stage in stages) / max(report.images, 1) for name, stages in STAGES.items()}
    return Timing(report.images, report.patches, parts)


def markdown(timing: Timing) -> str:
    """One row per part, beside the paper's."""
    head = "| part | ms per image | paper, 1024x2048, RTX 2080 Ti |\n|---|---:|---:|"
    lines = [f"| {name} | {value:.1f} | {PAPER.get(name, '')} |" for name, value in timing.milliseconds.items()]
    total = f"| all | {sum(timing.milliseconds.values()):.1f} | {sum(PAPER.values())} |"
    said = f"{timing.images} images, {timing.patches / max(timing.images, 1):.0f} patches per image."
    return "\n".join([said, "", head, *lines, total]) + "\n"
