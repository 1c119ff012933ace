"""The time per image by part: extraction, network and reassembly (supplement, section C), reading and writing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bpr.formats.coco import Record
from bpr.io.files import write_json
from bpr.io.image_finder import ImageFinder
from bpr.refinement.refiner import Refiner
from bpr.refinement.runner import refine_records

PAPER = {"extraction": 52, "network": 81, "reassembly": 78}
"""The paper's milliseconds per 1024x2048 image on an RTX 2080 Ti."""
STAGES = {
    "extraction": ("cut",),
    "network": ("forward",),
    "reassembly": ("put back",),
    "reading images": ("read",),
    "decoding masks": ("decode masks",),
    "encoding and writing": ("encode", "write"),
}
"""Parts of the time, and the stages of a run that each sums up."""


@dataclass(frozen=True)
class Timing:
    """Mean milliseconds per image by part of STAGES."""

    images: int
    patches: int
    milliseconds: dict[str, float]


def time_stages(
    records: Sequence[Record],
    images: ImageFinder,
    refiner: Refiner,
    on_progress: Callable[[int], None] = lambda done: None,
) -> Timing:
    """Refine ``records`` and write them to a file.

    One thread runs one stage after the other, so that the parts add up.
    """
    refined, report = refine_records(records, images, refiner, workers=0, on_progress=on_progress)
    with TemporaryDirectory() as folder, report.clock.stage("write"):
        write_json(Path(folder) / "refined.json", refined)
    seconds = report.clock.seconds
    sums = {name: sum(seconds.get(stage, 0.0) for stage in stages) for name, stages in STAGES.items()}
    parts = {name: 1000 * total / max(report.images, 1) for name, total in sums.items()}
    return Timing(report.images, report.patches, parts)


def markdown(timing: Timing) -> str:
    """A table of the parts, next to the paper's numbers."""
    head = "| part | ms per image | paper, 1024x2048, RTX 2080 Ti |\n|---|---:|---:|"
    lines = [f"| {name} | {value:.1f} | {PAPER.get(name, '')} |" for name, value in timing.milliseconds.items()]
    total = f"| all | {sum(timing.milliseconds.values()):.1f} | {sum(PAPER.values())} |"
    summary = f"{timing.images} images, {timing.patches / max(timing.images, 1):.0f} patches per image."
    return "\n".join([summary, "", head, *lines, total]) + "\n"
