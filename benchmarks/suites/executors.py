"""Reading and cutting by threads, and by processes that send their patches back: what :mod:`bpr.refinement.pipeline` chose from."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from itertools import cycle, islice
from pathlib import Path

from benchmarks.measuring import Ratio, Report, Timing, in_turn, row
from benchmarks.photos import Photo, street_photos
from bpr.geometry.rle import decode_mask
from bpr.io.images import read_image
from bpr.refinement.batching import CutImage
from bpr.refinement.predictor import IdentityPredictor, Instance
from bpr.refinement.refiner import Refiner

IMAGES, REPEATS = 24, 5
LEAST = {"one thread": None, "two processes": 1.0}


def measure() -> Report:
    with tempfile.TemporaryDirectory() as name:
        timings = compare(list(islice(cycle(street_photos(Path(name))), IMAGES)))
    threads = timings["two threads"].median
    ratios = [Ratio(f"two threads against {other}", timings[other].median / threads, least) for other, least in LEAST.items()]
    return Report("executors", [row(label, timing) for label, timing in timings.items()], ratios, {"images": IMAGES, "unit": "one image"})


def compare(photos: Sequence[Photo]) -> dict[str, Timing]:
    """Seconds per image."""
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(2) as two, ProcessPoolExecutor(2) as processes:
        sides = {"one thread": one, "two threads": two, "two processes": processes}
        spent = in_turn({label: partial(cut_all, executor, photos) for label, executor in sides.items()}, REPEATS)
    return {label: Timing.of(seconds, per=len(photos)) for label, seconds in spent.items()}


def cut_all(executor: Executor, photos: Sequence[Photo]) -> None:
    for _ in executor.map(cut_photo, photos):
        pass


def cut_photo(photo: Photo) -> CutImage:
    image = read_image(photo.file)
    instances = [Instance(decode_mask(record["segmentation"])) for record in photo.records]
    return Refiner(IdentityPredictor()).cut(image, instances)
