"""From files to files, against the old procedure with the paper's network (``hrnet-w18s``, 128 px).

The old procedure takes seconds per image, so it gets few scenes, each once; ours refines the same scenes several
times over as one stream, which is how it is used.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.inputs import Photo, Workload, backends_of, exported_network, street_photos
from benchmarks.measuring import Ratio, Timing, in_turn, row, seconds_of, suite_report
from benchmarks.suites import old_procedure
from bpr.backends import load_predictor
from bpr.backends.presets import PRESETS, load_preset
from bpr.compiled import uncompiled
from bpr.formats.coco import with_mask
from bpr.geometry.rle import decode_mask
from bpr.io.images import read_image
from bpr.refinement.batching import PredictedImage
from bpr.refinement.predictor import IdentityPredictor, Instance, Predictor
from bpr.refinement.refiner import Refiner

SEEN_BY_OLD, COPIES, REPEATS = 2, 3, 3
GEOMETRY_TARGET = 100
NETWORK = "hrnet-w18s"
ALONE, DECODE = ", numpy alone", "decoding the PNG, one thread"
TARGETS = {"same network": 25, "preset fast": 60}
"""Least speed-up over the old procedure: of the fastest backend of NETWORK, and of the preset."""


def measure() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = street_photos(folder)
        stages = time_old_stages(photos[:SEEN_BY_OLD], folder, eager_network())
        rows = [row(f"old procedure, {stage}", Timing.of(spent)) for stage, spent in stages.items()]
        load = Workload.of(photos, COPIES * len(photos), folder)
        around, ratios = without_network(load, photos, float(np.median(stages["extraction"] + stages["reassembly"])))
        timings = {name: refine_all(load, predictor) for name, predictor in variants()}
        rows += around + [row(f"ours, {name}", timing) for name, timing in timings.items()]
        ratios += end_to_end(timings, float(np.median(stages["whole"])))
    return suite_report("refine", rows, ratios, {"instances": 20, "frame": "1024x2048", "unit": "one image"})


def variants() -> Iterator[tuple[str, Predictor]]:
    """The same network on every backend, and the presets."""
    for backend in backends_of(NETWORK):
        yield f"{NETWORK}, {backend}", load_predictor(NETWORK, backend=backend)
    for preset in PRESETS:
        yield f"preset {preset}", load_preset(preset)


def end_to_end(timings: Mapping[str, Timing], old: float) -> list[Ratio]:
    """Every variant against the old procedure; the target of the same network is for its fastest backend."""
    best = min((name for name in timings if name.startswith(NETWORK)), key=lambda name: timings[name].median)
    targets = {**TARGETS, best: TARGETS["same network"]}
    return [Ratio(f"{name}, end to end", old / timing.median, targets.get(name)) for name, timing in timings.items()]


def time_old_stages(photos: Sequence[Photo], folder: Path, network: old_procedure.Network) -> dict[str, np.ndarray]:
    """(photos,) seconds of every script of the old procedure."""
    spent: dict[str, list[float]] = {"extraction": [], "network": [], "reassembly": []}
    for photo in photos:
        work, records = folder / f"old{photo.file.stem}", list(photo.records)
        extract = partial(old_procedure.extract, records, folder, work, 64, 0.25)
        spent["extraction"].append(seconds_of(extract))
        spent["network"].append(seconds_of(partial(old_procedure.predict, work, network)))
        spent["reassembly"].append(seconds_of(partial(old_procedure.reassemble, records, work)))
    arrays = {stage: np.array(seconds) for stage, seconds in spent.items()}
    return {**arrays, "whole": sum(arrays.values(), np.zeros(len(photos)))}


def refine_all(load: Workload, predictor: Predictor) -> Timing:
    """Seconds per image, from the files to the written results."""
    spent = in_turn({"refine": lambda: load.refine(predictor)}, REPEATS)
    return Timing.of(spent["refine"], per=len(load.files))


def without_network(load: Workload, photos: Sequence[Photo], old: float) -> tuple[list[dict[str, Any]], list[Ratio]]:
    """Our extraction and reassembly: from files to files, and without decoding, which any procedure needs."""
    refiner = Refiner(IdentityPredictor(load_predictor(NETWORK).spec))
    images = [read_image(photo.file) for photo in photos]
    whole, geometry = "ours without a network, from files to files", "ours without network and decoding, one thread"
    runs = {whole: partial(load.refine, refiner.predictor), geometry: partial(in_memory, photos, images, refiner)}
    sides = {**runs, **{f"{name}{ALONE}": uncompiled()(run) for name, run in runs.items()}}
    spent = in_turn({**sides, DECODE: partial(read_image, photos[0].file)}, REPEATS)
    per = {whole: len(load.files), geometry: len(photos)}
    timings = {name: Timing.of(seconds, per.get(name.removesuffix(ALONE), 1)) for name, seconds in spent.items()}
    ratios = []
    for end, target in ((ALONE, None), ("", GEOMETRY_TARGET)):
        title = "extraction and reassembly"
        undecoded = (old - timings[DECODE].median) / timings[geometry + end].median
        ratios.append(Ratio(f"{title}{end}", old / timings[whole + end].median, target))
        ratios.append(Ratio(f"{title}, one decode an image left out on both sides{end}", undecoded, target))
    return [row(name, timing) for name, timing in timings.items()], ratios


def in_memory(photos: Sequence[Photo], images: Sequence[np.ndarray], refiner: Refiner) -> None:
    """Decode, cut, put back and encode the masks, image by image."""
    for photo, image in zip(photos, images, strict=True):
        instances = [Instance(decode_mask(record["segmentation"])) for record in photo.records]
        cut = refiner.cut(image, instances, None)
        settled = refiner.put_back(PredictedImage(cut, refiner.predictor.predict(cut.batch)))
        for record, one in zip(photo.records, settled, strict=True):
            with_mask(record, one.mask)


def eager_network() -> old_procedure.Network:
    """The network in torch: float32, eager, as the released code runs it."""
    import torch

    model = exported_network(NETWORK).to(memory_format=torch.contiguous_format)

    def network(patches: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return model.probabilities(torch.from_numpy(patches)).numpy()

    network(np.zeros((1, 64, 64, 5), np.uint8))
    return network
