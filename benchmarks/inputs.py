"""What benchmarks run on: generated street scenes, real images with their detections, and the networks of the package.

Legend: N instances, H W frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import cycle, groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from benchmarks.measuring import ROOT
from bpr.backends import model_file, named_models
from bpr.backends.registry import BACKENDS
from bpr.evaluation.comparison import Comparison, Evaluation, shares
from bpr.evaluation.matching import PAIR_SCORE, Pair
from bpr.evaluation.pair_metrics import PAIR_METRICS
from bpr.evaluation.prepare import Detections, prepare_annotations, prepare_detections
from bpr.formats.coco import Record, read_annotations, read_results
from bpr.geometry.masks import BoxMask
from bpr.geometry.options import PatchSpec
from bpr.geometry.rle import encode_mask
from bpr.io.files import write_json
from bpr.io.image_finder import ImageFolder
from bpr.refinement.predictor import PatchBatch, Predictor
from bpr.refinement.refiner import Refiner
from bpr.refinement.runner import refine_records

if TYPE_CHECKING:
    from bpr.training.network.segmentor import PatchSegmentor

SHARED = ROOT.parent / "shared" / "data"
"""Where the data sets lie beside the checkout; scripts that need them all take the folder as their argument DATA."""
FRAME = (1024, 2048)
SCENES, COCO_IMAGES = 4, 40
VAL = {
    "davis_val": ("davis/val", "davis/annotations/instances_val.json", "detections/davis_val.segm.json"),
    "coco_val2017": ("coco/val2017", "coco/annotations/instances_val2017.json", "detections/coco_val2017.segm.json"),
}
"""The validation splits below DATA: images, annotations, detections."""
HELD_OUT = {
    f"{name}_choose": (f"images/{name}", f"{name}_choose.instances.json", f"{name}_choose.segm.json")
    for name in ("davis", "crisp", "coco")
}
"""The held-out tenth of the training data below data/starter, as benchmarks/training/split_data.py writes it."""
CONFIGS = {
    "hrnet-w18s": "bpr_hrnet-w18s_1xb32-1200_starter-128x128.py",
    "starter": "bpr_mobilenet-v2-detail_1xb32-2800_any-mask-128x128.py",
    "starter-fast": "bpr_mobilenet-v2-detail_1xb32-1500_any-mask-64x64.py",
}
"""The config that each model of the package was trained with."""


def street_image(seed: int, frame: tuple[int, int]) -> tuple[np.ndarray, np.random.Generator]:
    """A smooth random (H, W, 3) image, and the generator that made it."""
    rng = np.random.default_rng(seed)
    return cv2.GaussianBlur(rng.integers(0, 256, (*frame, 3), dtype=np.uint8), (0, 0), 3), rng


def street_blobs(rng: np.random.Generator, count: int, frame: tuple[int, int], size: float) -> Iterator[np.ndarray]:
    """(H, W) uint8 masks of blobs; some may lie outside of the frame.

    Args:
        size: median radius of a blob in pixels.
    """
    for _ in range(count):
        mask = np.zeros(frame, np.uint8)
        centre = np.array([rng.integers(0, frame[1]), rng.integers(frame[0] // 4, frame[0])])
        angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
        radii = np.exp(rng.normal(np.log(size), 0.6))
        radii = radii * (1 + 0.25 * np.sin(angles * rng.integers(2, 6) + rng.uniform(0, 6)))
        outline = centre + np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None]
        cv2.fillPoly(mask, [outline.astype(np.int32)], 1)
        yield mask


def street_scene(
    seed: int, instances: int = 20, frame: tuple[int, int] = FRAME, size: float = 50
) -> tuple[np.ndarray, np.ndarray]:
    """A smooth random image and (N, H, W) bool masks of blobs about as large as the cars and people of a street."""
    image, rng = street_image(seed, frame)
    return image, np.array(list(street_blobs(rng, instances, frame, size)), bool).reshape(-1, *frame)


def write_street_scenes(folder: Path, scenes: Sequence[tuple[np.ndarray, np.ndarray]]) -> Path:
    """Write the images as 0.png, 1.png ... and the masks as COCO results; return the results file."""
    records = []
    for number, (image, masks) in enumerate(scenes):
        cv2.imwrite(str(folder / f"{number}.png"), image[..., ::-1])
        for mask in masks:
            if mask.any():
                segmentation = encode_mask(BoxMask.from_frame(mask))
                records.append({"image_id": number, "category_id": 1, "score": 0.9, "segmentation": segmentation})
    write_json(folder / "results.json", records)
    return folder / "results.json"


@dataclass(frozen=True)
class Photo:
    """An image file and the records of its instances."""

    file: Path
    records: Sequence[Record]


def street_photos(folder: Path) -> list[Photo]:
    results = read_results(write_street_scenes(folder, [street_scene(seed) for seed in range(SCENES)]))
    by_image = groupby(results, lambda record: record["image_id"])
    return [Photo(folder / f"{number}.png", list(records)) for number, records in by_image]


def coco_photos() -> list[Photo]:
    """The first images of COCO val, with the detections that a user would refine."""
    folder, annotations, detections = VAL["coco_val2017"]
    images = ImageFolder(SHARED / folder, read_annotations(SHARED / annotations)["images"])
    records = [record for record in read_results(SHARED / detections) if record["score"] >= PAIR_SCORE]
    by_image = groupby(sorted(records, key=lambda record: record["image_id"]), lambda record: record["image_id"])
    return [Photo(images.path(image_id), list(chosen)) for image_id, chosen in islice(by_image, COCO_IMAGES)]


@dataclass(frozen=True)
class Workload:
    """A results file over some images; an ``image_id`` is an index into ``files``."""

    results: Path
    files: Sequence[Path]

    @classmethod
    def of(cls, photos: Sequence[Photo], count: int, folder: Path) -> Workload:
        """``count`` images: the photos over and over, each time under a new id."""
        chosen = list(islice(cycle(photos), count))
        records = [{**record, "image_id": i} for i, photo in enumerate(chosen) for record in photo.records]
        write_json(folder / "load.json", records)
        return cls(folder / "load.json", [photo.file for photo in chosen])

    def path(self, image_id: Any) -> Path:
        return self.files[image_id]

    def frame(self, image_id: Any) -> None:
        """Photos are read as their masks say."""

    def refine(self, predictor: Predictor, workers: int = 2) -> None:
        """Refine from files to a file."""
        refined, _ = refine_records(read_results(self.results), self, Refiner(predictor), workers)
        write_json(self.results.with_suffix(".refined.json"), refined)


def on_images(document: dict[str, Any], images: Sequence[Any]) -> dict[str, Any]:
    """The annotations that are on some of their images."""
    ids = {image["id"] for image in images}
    return {**document, "images": images, "annotations": [one for one in document["annotations"] if one["image_id"] in ids]}


@dataclass(frozen=True)
class Split:
    """A set of images with ground truth and coarse detections, on which models are compared."""

    name: str
    detections: Detections
    document: dict[str, Any]
    images: ImageFolder

    @classmethod
    def read(cls, data: Path, name: str) -> Split:
        """A split of ``VAL`` or ``HELD_OUT``."""
        images, annotations, results = {**VAL, **HELD_OUT}[name]
        return cls.of(name, data / images, data / annotations, data / results)

    @classmethod
    def of(
        cls,
        name: str,
        images: Path,
        annotations: Path,
        results: Path | None,
        choose: Callable[[list[Any]], list[Any]] | None = None,
    ) -> Split:
        """The set of an annotation file; without a results file it has no detections.

        Args:
            choose: takes some of the listed images, before anything is prepared.
        """
        document, records = read_annotations(annotations), read_results(results) if results else []
        if choose:
            document = on_images(document, choose(document["images"]))
            ids = {image["id"] for image in document["images"]}
            records = [one for one in records if one["image_id"] in ids]
        document = prepare_annotations(document, str(annotations))
        detections = prepare_detections(records, document, str(results))
        return cls(name, detections, document, ImageFolder(images, document["images"]))

    @property
    def records(self) -> Sequence[Record]:
        return self.detections.records

    @cached_property
    def coarse(self) -> Evaluation:
        return Evaluation(self.detections, self.document)

    @property
    def pairs(self) -> Sequence[Pair]:
        return self.coarse.pairs

    def refined(self, refiner: Refiner, every: bool = False) -> tuple[list[Record], int]:
        """All records, and the number of patches used to refine those of the matched pairs.

        Args:
            every: refine every record of a score of at least ``PAIR_SCORE``, matched or not.
        """
        likely = [i for i, record in enumerate(self.records) if record["score"] >= PAIR_SCORE]
        indices = likely if every else sorted({pair.record for pair in self.pairs})
        found, report = refine_records([self.records[i] for i in indices], self.images, refiner)
        return self.replaced(indices, found), report.patches

    def replaced(self, indices: Sequence[int], found: Sequence[Record]) -> list[Record]:
        """All records, those at ``indices`` replaced."""
        after = list(self.records)
        for index, record in zip(indices, found, strict=True):
            after[index] = record
        return after

    def evaluation(self, after: Sequence[Record]) -> Evaluation:
        """Refined records at the matched pairs of the coarse ones."""
        return Evaluation(Detections(list(after), self.name), self.document, coarse=self.coarse)

    def compared(self, after: Sequence[Record]) -> dict[str, Any]:
        """The mean change of every pair metric with its interval, and the shares of the pairs; there must be a pair."""
        comparison = Comparison(self.coarse, self.evaluation(after))
        changes = {name: asdict(change) for name, change in comparison.changes.items()}
        return {"changes": changes, "shares": asdict(shares(comparison.gain))}


def means(evaluation: Evaluation) -> dict[str, float]:
    """The mean over the matched pairs of every pair metric, by name; there must be a pair."""
    return {metric.name: float(evaluation.column(metric).mean()) for metric in PAIR_METRICS}


def random_batch(spec: PatchSpec, count: int) -> PatchBatch:
    """Patches of noise, which take a network as long as any others."""
    shape = (count, spec.window, spec.window, spec.channels)
    patches = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return PatchBatch(patches, np.zeros((count, 4), np.int32), [])


def backends_of(model: str) -> list[str]:
    """The installed backends that run a model of the package."""
    suffix = named_models()[model].suffix
    return [backend.name for backend in BACKENDS.values() if backend.suffix == suffix and not backend.missing()]


def exported_network(name: str) -> PatchSegmentor:
    """The network of a model in torch with the weights of its exported file, in eval mode, on the CPU."""
    from bpr.training.export.from_onnx import exported_state_dict
    from bpr.training.network.segmentor import build_segmentor

    model = build_segmentor(ROOT / "configs" / CONFIGS[name])[1].eval()
    model.load_state_dict(exported_state_dict(model_file(name), model))
    return model
