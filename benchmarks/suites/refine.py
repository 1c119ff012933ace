"""From files to files: ours against the old procedure, with the paper's network (``hrnet-w18s``, 128 px) and the same patches.

The old side takes seconds per image, so it sees few scenes, each once; ours refines the same scenes several times over as
one stream, which is how it is used.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import old_procedure
from benchmarks.arithmetic import numpy_alone
from benchmarks.measuring import Ratio, Report, Timing, in_turn, row, seconds_of
from benchmarks.photos import Load, Photo, backends_of, street_photos
from bpr.backends import load_predictor
from bpr.backends.presets import PRESETS, load_preset
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
MODELS = (NETWORK, f"{NETWORK}.int8")
TARGETS = {"same network": 25, "preset fast": 60}
"""How many times as fast as the old procedure: the best of MODELS and their backends, and the preset."""


def measure() -> Report:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = street_photos(folder)
        stages = old_stages(photos[:SEEN_BY_OLD], folder, eager_network())
        rows = [row(f"old procedure, {stage}", Timing.of(spent)) for stage, spent in stages.items()]
        load = Load.of(photos, COPIES * len(photos), folder)
        around, ratios = around_network(load, photos, float(np.median(stages["extraction"] + stages["reassembly"])))
        timings = {name: ours(load, predictor) for name, predictor in variants()}
        rows += [row(f"ours, {name}", timing) for name, timing in timings.items()]
        ratios += end_to_end(timings, float(np.median(stages["whole"])))
    return Report("refine", rows[:4] + around + rows[4:], ratios, {"instances": 20, "frame": "1024x2048", "unit": "one image"})


def variants() -> Iterator[tuple[str, Predictor]]:
    """The same network on every backend, in float32 and in int8, and the presets."""
    for model in MODELS:
        for backend in backends_of(model):
            yield f"{model}, {backend}", load_predictor(model, backend=backend)
    for preset in PRESETS:
        yield f"preset {preset}", load_preset(preset)


def end_to_end(timings: Mapping[str, Timing], old: float) -> list[Ratio]:
    """Every variant against the old procedure; the target of the same network is for the fastest."""
    best = min((name for name in timings if name.startswith(MODELS)), key=lambda name: timings[name].median)
    targets = {**TARGETS, best: TARGETS["same network"]}
    return [Ratio(f"{name}, end to end", old / timing.median, targets.get(name)) for name, timing in timings.items()]


def old_stages(photos: Sequence[Photo], folder: Path, network: old_procedure.Network) -> dict[str, np.ndarray]:
    """(photos,) seconds of every script of the old procedure."""
    spent: dict[str, list[float]] = {"extraction": [], "network": [], "reassembly": []}
    for photo in photos:
        work, own = folder / f"old{photo.file.stem}", list(photo.records)
        steps = {
            "extraction": partial(old_procedure.extract, own, folder, work, 64, 0.25),
            "network": partial(old_procedure.predict, work, network),
            "reassembly": partial(old_procedure.reassemble, own, work),
        }
        for stage, step in steps.items():
            spent[stage].append(seconds_of(step))
    arrays = {stage: np.array(seconds) for stage, seconds in spent.items()}
    return {**arrays, "whole": sum(arrays.values(), np.zeros(len(photos)))}


def ours(load: Load, predictor: Predictor) -> Timing:
    """Seconds per image, from the files to the written results; the first run is not counted."""
    spent = in_turn({"refine": lambda: load.refine(predictor)}, REPEATS)
    return Timing.of(spent["refine"], per=len(load.files))


def around_network(load: Load, photos: Sequence[Photo], old: float) -> tuple[list[dict[str, Any]], list[Ratio]]:
    """Extraction and reassembly of ours: from files to files, and without the one decode of an image that any procedure needs."""
    refiner = Refiner(IdentityPredictor(load_predictor(NETWORK).scheme))
    images = [read_image(photo.file) for photo in photos]
    whole, apart = "ours without a network, from files to files", "ours without network and decoding, one thread"
    runs = {whole: partial(load.refine, refiner.predictor), apart: partial(in_memory, photos, images, refiner)}
    sides = {**runs, **{f"{name}{ALONE}": numpy_alone()(run) for name, run in runs.items()}, DECODE: partial(read_image, photos[0].file)}
    spent = in_turn(sides, REPEATS)
    shares = {whole: len(load.files), apart: len(photos)}
    timings = {name: Timing.of(seconds, per=shares.get(name.removesuffix(ALONE), 1)) for name, seconds in spent.items()}
    ratios = []
    for end in (ALONE, ""):
        target = None if end else GEOMETRY_TARGET
        without = (old - timings[DECODE].median) / timings[apart + end].median
        ratios.append(Ratio(f"extraction and reassembly{end}", old / timings[whole + end].median, target))
        ratios.append(Ratio(f"extraction and reassembly, one decode an image left out on both sides{end}", without, target))
    return [row(name, timing) for name, timing in timings.items()], ratios


def in_memory(photos: Sequence[Photo], images: Sequence[np.ndarray], refiner: Refiner) -> None:
    """Masks decoded, cut, put back and encoded, image by image."""
    for photo, image in zip(photos, images, strict=True):
        cut = refiner.cut(image, [Instance(decode_mask(record["segmentation"])) for record in photo.records])
        masks = refiner.put_back(PredictedImage(cut, refiner.predictor.predict(cut.batch)))
        for record, mask in zip(photo.records, masks, strict=True):
            with_mask(record, mask)


def eager_network() -> old_procedure.Network:
    """The network in torch: float32, eager, as the released code runs it."""
    import torch

    from benchmarks.exported_networks import exported_network

    model = exported_network(NETWORK).to(memory_format=torch.contiguous_format)

    def network(patches: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return model.probabilities(torch.from_numpy(patches)).numpy()

    network(np.zeros((1, 64, 64, 5), np.uint8))
    return network
