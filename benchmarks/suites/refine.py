"""From files to files: ours against the old procedure, with the network of ``starter`` at 128 px and the same patches.

The old side takes seconds per image, so it sees few scenes, each once; ours refines the same scenes several times over as
one stream, which is how it is used.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import old_procedure
from benchmarks.measuring import Ratio, Report, Timing, row, seconds_of
from benchmarks.street_scenes import scene, write_scenes
from bpr.backends import load_predictor
from bpr.formats.coco import Record, read_results
from bpr.formats.files import write_json
from bpr.formats.images import ImageFolder
from bpr.refinement.predictor import IdentityPredictor, PatchBatch, Predictor
from bpr.refinement.refiner import Refiner
from bpr.refinement.runner import refine_records

SCENES, COPIES, REPEATS = 3, 4, 3
GEOMETRY_TARGET = 100
CONFIG = "configs/bpr_hrnet-w18s_1xb32-2400_starter-128x128.py"


@dataclass(frozen=True)
class Variant:
    """A way to refine the scenes, and how many times as fast as the old procedure it is to be."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    target: float | None = None


VARIANTS = (Variant("starter", target=25), Variant("starter-fast", {"model": "starter-fast"}, target=60))


def measure() -> Report:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        records = read_results(write_scenes(folder, [scene(seed) for seed in range(SCENES)]))
        stages = old_stages(records, folder, eager_network())
        rows = [row(f"old procedure, {stage}", Timing.of(spent)) for stage, spent in stages.items()]
        geometry = ours(records, folder, IdentityPredictor(load_predictor("starter").scheme))
        rows.append(row("ours without a network, from files to files", geometry))
        around = stages["extraction"] + stages["reassembly"]
        ratios = [Ratio("extraction and reassembly", float(np.median(around)) / geometry.median, GEOMETRY_TARGET)]
        for variant in VARIANTS:
            timing = ours(records, folder, load_predictor(**{"model": "starter", **variant.options}))
            rows.append(row(f"ours, {variant.name}", timing))
            ratios.append(Ratio(f"{variant.name}, end to end", float(np.median(stages["whole"])) / timing.median, variant.target))
    return Report("refine", rows, ratios, {"scenes": SCENES, "instances": 20, "frame": "1024x2048", "unit": "one image"})


def old_stages(records: list[Record], folder: Path, network: old_procedure.Network) -> dict[str, np.ndarray]:
    """(scenes,) seconds per image of every script of the old procedure."""
    spent: dict[str, list[float]] = {"extraction": [], "network": [], "reassembly": []}
    for number in range(SCENES):
        work, own = folder / f"old{number}", [record for record in records if record["image_id"] == number]
        steps: dict[str, Callable[[], object]] = {
            "extraction": lambda own=own, work=work: old_procedure.extract(own, folder, work, 64, 0.25),  # type: ignore[misc]
            "network": lambda work=work: old_procedure.predict(work, network),  # type: ignore[misc]
            "reassembly": lambda own=own, work=work: old_procedure.reassemble(own, work),  # type: ignore[misc]
        }
        for stage, step in steps.items():
            spent[stage].append(seconds_of(step))
    arrays = {stage: np.array(seconds) for stage, seconds in spent.items()}
    return {**arrays, "whole": sum(arrays.values(), np.zeros(SCENES))}


def ours(records: list[Record], folder: Path, predictor: Predictor) -> Timing:
    """Seconds per image, from the files to the written results."""
    refiner, stream = Refiner(predictor), repeated(records)
    images = ImageFolder(folder, [{"id": i, "file_name": f"{i % SCENES}.png"} for i in range(SCENES * COPIES)])

    def once() -> None:
        refined, _ = refine_records(stream, images, refiner)
        write_json(folder / "refined.json", refined)

    once()
    return Timing.of([seconds_of(once) for _ in range(REPEATS)], per=SCENES * COPIES)


def repeated(records: list[Record]) -> list[Record]:
    """The scenes several times over, as images of their own."""
    copies = [copy.copy(record) for _ in range(COPIES) for record in records]
    for number, record in enumerate(copies):
        record["image_id"] += SCENES * (number // len(records))
    return copies


def eager_network() -> old_procedure.Network:
    """``starter``'s network in torch: float32, eager, as the released code runs it."""
    import torch

    import bpr.models  # noqa: F401
    from bpr.backends import named_models
    from bpr.models.exported import exported_state_dict
    from bpr.models.loading import build_segmentor

    model = build_segmentor(CONFIG)[1].eval().to(memory_format=torch.contiguous_format)
    model.load_state_dict(exported_state_dict(named_models()["starter"], model), strict=False)

    def network(patches: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return model.probabilities(torch.from_numpy(patches)).numpy()

    network(np.zeros((1, 64, 64, 5), np.uint8))
    return network


def same_masks(records: list[Record], folder: Path, predictor: Predictor) -> list[Record]:
    """What the old procedure makes of the records with our predictor as its network: the two can then be compared."""

    def network(patches: np.ndarray) -> np.ndarray:
        return predictor.predict(PatchBatch(patches, np.zeros((len(patches), 4), np.int32), []))

    return old_procedure.refine(records, folder, folder / "old", network, predictor.scheme.side, predictor.scheme.nms_iou)
