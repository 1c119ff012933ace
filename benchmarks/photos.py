"""Images as they lie on disk, with the masks to refine: generated street scenes, COCO val, and as many of them as a load takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, groupby, islice
from pathlib import Path
from typing import Any

from benchmarks.street_scenes import scene, write_scenes
from bpr.backends import named_models
from bpr.formats.coco import Record, read_annotations, read_results
from bpr.io.files import write_json
from bpr.io.images import ImageFolder
from bpr.refinement.predictor import Predictor
from bpr.refinement.refiner import Refiner
from bpr.refinement.runner import refine_records

SHARED = Path(__file__).parents[2] / "shared" / "data"
SCENES, COCO_IMAGES, MIN_SCORE = 4, 40, 0.05


@dataclass(frozen=True)
class Photo:
    """An image file and the records of its instances."""

    file: Path
    records: Sequence[Record]


@dataclass(frozen=True)
class Load:
    """Results of so many images in a file; an ``image_id`` is a place in ``files``."""

    results: Path
    files: Sequence[Path]

    @classmethod
    def of(cls, photos: Sequence[Photo], count: int, folder: Path) -> Load:
        """The photos over and over, as images of their own."""
        chosen = list(islice(cycle(photos), count))
        write_json(folder / "load.json", [{**record, "image_id": i} for i, photo in enumerate(chosen) for record in photo.records])
        return cls(folder / "load.json", [photo.file for photo in chosen])

    def path(self, image_id: Any) -> Path:
        return self.files[image_id]

    def refine(self, predictor: Predictor, workers: int = 2) -> None:
        """From files to a file."""
        refined, _ = refine_records(read_results(self.results), self, Refiner(predictor), workers)
        write_json(self.results.with_suffix(".refined.json"), refined)


def street_photos(folder: Path) -> list[Photo]:
    results = read_results(write_scenes(folder, [scene(seed) for seed in range(SCENES)]))
    return [Photo(folder / f"{number}.png", list(own)) for number, own in groupby(results, lambda record: record["image_id"])]


def coco_photos() -> list[Photo]:
    """The first images of COCO val, with the detections that a user would refine."""
    images = ImageFolder(SHARED / "coco/val2017", read_annotations(SHARED / "coco/annotations/instances_val2017.json")["images"])
    records = [record for record in read_results(SHARED / "detections/coco_val2017.segm.json") if record["score"] >= MIN_SCORE]
    by_image = groupby(sorted(records, key=lambda record: record["image_id"]), lambda record: record["image_id"])
    return [Photo(images.path(image_id), list(own)) for image_id, own in islice(by_image, COCO_IMAGES)]


def backends_of(model: str) -> list[str]:
    """Backends of this machine that run a model of the package."""
    from bpr.backends.registry import BACKENDS

    suffix = named_models()[model].suffix
    return [backend.name for backend in BACKENDS.values() if backend.suffix == suffix and not backend.missing()]
