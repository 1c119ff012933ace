"""What refining costs beside its network: files to files against the bare forward passes of the same batches.

The default model and the fastest file, on every backend of this machine, on generated street scenes and, where the shared
data lie beside the checkout, on COCO val. ``over forward`` is the ratio of both, ``floor`` what it cannot fall below: forward
passes and everything else spread over all cores without loss. Each side works as long as SECONDS of forward passes, so that
filling the pipeline once does not count for more than it does in use.
"""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import Ratio, Report, Timing, in_turn, row, seconds_of
from benchmarks.photos import COCO_IMAGES, SCENES, SHARED, Load, Photo, backends_of, coco_photos, street_photos
from bpr.backends import load_predictor
from bpr.refinement.predictor import IdentityPredictor, PatchBatch, Predictor

MODELS = ("starter", "starter-fast.int8")
SECONDS, REPEATS = 3.0, 3
MOST_OVER_FORWARD = 1.10


class Recorder:
    """A predictor that remembers what it was asked and what it said."""

    def __init__(self, predictor: Predictor) -> None:
        self.scheme, self.batch_size, self._predictor = predictor.scheme, predictor.batch_size, predictor
        self.batches: list[PatchBatch] = []
        self.answers: list[np.ndarray] = []

    def predict(self, batch: PatchBatch) -> np.ndarray:
        self.batches.append(batch)
        self.answers.append(self._predictor.predict(batch))
        return self.answers[-1]


class Replay:
    """Gives the answers of a Recorder again, at no cost."""

    def __init__(self, recorder: Recorder) -> None:
        self.scheme, self.batch_size, self._answers = recorder.scheme, recorder.batch_size, iter(recorder.answers)

    def predict(self, batch: PatchBatch) -> np.ndarray:
        return next(self._answers)


def measure() -> Report:
    with tempfile.TemporaryDirectory() as name:
        folder, rows = Path(name), []
        sets = {"scenes": street_photos(folder), **({"COCO val": coco_photos()} if SHARED.is_dir() else {})}
        for label, photos in sets.items():
            for model, backend in ((name, own) for name in MODELS for own in backends_of(name)):
                rows += compare(f"{model}, {backend}, {label}", load_predictor(model, backend=backend), photos, folder)
        shares = [Ratio(f"forward of refine: {one['name']}", 1 / one["over forward"], 1 / MOST_OVER_FORWARD) for one in rows[1::2]]
    settings = {"seconds of forward passes": SECONDS, "images": {"scenes": SCENES, "COCO val": COCO_IMAGES}}
    return Report("forward", rows, shares, settings)


def compare(name: str, predictor: Predictor, photos: Sequence[Photo], folder: Path) -> list[dict[str, Any]]:
    """Seconds per image of the forward passes alone and of all of refining."""
    load = Load.of(photos, _enough(predictor, photos, folder), folder)
    recorder = Recorder(predictor)
    load.refine(recorder)
    sides = {
        "forward": lambda: [predictor.predict(batch) for batch in recorder.batches],
        "refine": lambda: load.refine(predictor),
    }
    spent, count = in_turn(sides, REPEATS), len(load.files)
    forward, whole = (Timing.of(spent[side], per=count) for side in sides)
    rest = processor_seconds(lambda: load.refine(Replay(recorder))) / count
    patches = sum(map(len, recorder.batches)) / count
    floor = 1 + rest / (os.cpu_count() or 1) / forward.median
    shared = {"images": count, "patches": patches, "rest, processor ms": 1000 * rest}
    print(f"{name}: refine / forward = {whole.median / forward.median:.3f}, floor {floor:.3f}", flush=True)
    return [
        row(f"{name}, forward", forward, **shared, **{"over forward": 1.0, "floor": 1.0}),
        row(f"{name}, refine", whole, **shared, **{"over forward": whole.median / forward.median, "floor": floor}),
    ]


def _enough(predictor: Predictor, photos: Sequence[Photo], folder: Path) -> int:
    """How many images keep the predictor busy for SECONDS: all photos once, or as many as it takes."""
    load, recorder = Load.of(photos, len(photos), folder), Recorder(IdentityPredictor(predictor.scheme, predictor.batch_size))
    load.refine(recorder)
    first = recorder.batches[0]
    predictor.predict(first)
    patches = sum(map(len, recorder.batches)) / len(photos)
    return max(2, math.ceil(SECONDS / (seconds_of(lambda: predictor.predict(first)) / len(first) * patches)))


def processor_seconds(function: Callable[[], object]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start
