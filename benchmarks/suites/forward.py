"""What refining costs beside its network: files to files against the bare forward passes of the same batches.

The default model and the fastest one, on every installed backend, and the preset ``fast``, on generated street scenes
and, where the shared data lie beside the checkout, on COCO val. ``over forward`` is the ratio of both; ``floor`` is its
lower bound: the processor time of the forward passes and of everything else, spread over all cores without loss. Each
side runs for about SECONDS of forward passes, so that filling the pipeline once does not count for more than it does in
use.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.inputs import COCO_IMAGES, SCENES, SHARED, Photo, Workload, backends_of, coco_photos, street_photos
from benchmarks.measuring import Ratio, Timing, in_turn, row, seconds_of, suite_report
from bpr.backends import load_predictor
from bpr.backends.presets import load_preset
from bpr.refinement.predictor import IdentityPredictor, PatchBatch, Predictor

MODELS = ("starter", "starter-fast.int8")
SECONDS, REPEATS = 3.0, 3
MOST_OVER_FORWARD = 1.10
PRESET, MOST_OVER_PRESET = "fast", 1.15


class Recorder:
    """A predictor that records its batches and answers."""

    def __init__(self, predictor: Predictor) -> None:
        self.spec, self.recommended, self.batch_size = predictor.spec, predictor.recommended, predictor.batch_size
        self.verdict = predictor.verdict
        self._predictor = predictor
        self.batches: list[PatchBatch] = []
        self.answers: list[np.ndarray] = []

    def predict(self, batch: PatchBatch) -> np.ndarray:
        self.batches.append(batch)
        self.answers.append(self._predictor.predict(batch))
        return self.answers[-1]


class Replay:
    """A network of zero cost: gives the recorded answers again."""

    def __init__(self, recorder: Recorder) -> None:
        self.spec, self.recommended, self.batch_size = recorder.spec, recorder.recommended, recorder.batch_size
        self.verdict = recorder.verdict
        self._answers = iter(recorder.answers)

    def predict(self, batch: PatchBatch) -> np.ndarray:
        return next(self._answers)


def measure() -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sets = {"scenes": street_photos(folder), **({"COCO val": coco_photos()} if SHARED.is_dir() else {})}
        for label, photos in sets.items():
            networks = {f"{model}, {backend}": load_predictor(model, backend=backend) for model in MODELS for backend in backends_of(model)}
            for name, predictor in {**networks, f"preset {PRESET}": load_preset(PRESET)}.items():
                rows += compare(f"{name}, {label}", predictor, photos, folder)
    ratios = []
    for one in rows[1::2]:
        most = MOST_OVER_PRESET if one["name"].startswith("preset") else MOST_OVER_FORWARD
        ratios.append(Ratio(f"forward of refine: {one['name']}", 1 / one["over forward"], 1 / most))
    settings = {"seconds of forward passes": SECONDS, "images": {"scenes": SCENES, "COCO val": COCO_IMAGES}}
    return suite_report("forward", rows, ratios, settings)


def compare(name: str, predictor: Predictor, photos: Sequence[Photo], folder: Path) -> list[dict[str, Any]]:
    """Seconds per image of the forward passes alone and of all of refining."""
    load = Workload.of(photos, images_for(predictor, photos, folder), folder)
    recorder = Recorder(predictor)
    load.refine(recorder)
    sides = {
        "forward": lambda: [predictor.predict(batch) for batch in recorder.batches],
        "refine": lambda: load.refine(predictor),
    }
    spent, count = in_turn(sides, REPEATS), len(load.files)
    forward, whole = (Timing.of(spent[side], per=count) for side in sides)
    rest = seconds_of(lambda: load.refine(Replay(recorder)), time.process_time) / count
    passes = seconds_of(sides["forward"], time.process_time) / count
    over, floor = whole.median / forward.median, 1 + rest / passes
    patches = sum(map(len, recorder.batches)) / count
    shared = {"images": count, "patches": patches, "rest, processor ms": 1000 * rest}
    print(f"{name}: refine / forward = {over:.3f}, floor {floor:.3f}", flush=True)
    return [
        row(f"{name}, forward", forward, **shared, **{"over forward": 1.0, "floor": 1.0}),
        row(f"{name}, refine", whole, **shared, **{"over forward": over, "floor": floor}),
    ]


def images_for(predictor: Predictor, photos: Sequence[Photo], folder: Path) -> int:
    """The number of images that keep the predictor busy for SECONDS, at least two."""
    load = Workload.of(photos, len(photos), folder)
    recorder = Recorder(IdentityPredictor(predictor.spec, predictor.batch_size))
    load.refine(recorder)
    first = recorder.batches[0]
    predictor.predict(first)
    patches = sum(map(len, recorder.batches)) / len(photos)
    seconds_per_patch = seconds_of(lambda: predictor.predict(first)) / len(first)
    return max(2, math.ceil(SECONDS / (seconds_per_patch * patches)))
