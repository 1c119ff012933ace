"""What a model makes of masks from many makers: does it gain on bad ones, and does it leave good ones alone?

    python -m benchmarks.studies.sources DATA MODEL [MODEL ...] [--sets NAME ...] [--makers NAME ...] [--images N]

Sets: DAVIS val, the tenth of the crisp photographs that no training sees, COCO val, nuclei. Coarse masks: those of a
real detector, if the set has them, and those that `source_makers.py` derives from the ground truth. That module is
independent of the makers that models learn from. A mask counts if its IoU with the object is .5 or more.

For each maker: mean IoU, boundary IoU, F at 1 and at 2 px before and after, 95 % bootstrap intervals of the change over
images, the share of masks that lose more than 1 and 5 points of IoU, and how much of what the coarse masks lacked is
still missing. Writes MODEL.json to --out. A second run with other sets or makers adds to the file while the model is the
same. `readme_tables` puts the table into docs/appendix/quality.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import bpr
from benchmarks.inputs import VAL, by_image, on_images
from benchmarks.measuring import RESULTS, earlier_report, markdown_table, script_parser
from benchmarks.studies.source_makers import FINE_MAKERS, MAKERS, made
from benchmarks.training.split_data import SETS as TRAINING_SETS
from bpr.backends import model_file
from bpr.evaluation.bootstrap import Ratios, interval
from bpr.evaluation.boundary_metrics import boundary_counts_at, boundary_overlap, overlap
from bpr.evaluation.matching import match_pairs
from bpr.evaluation.prepare import prepare_annotations, prepare_detections
from bpr.formats.coco import Record, read_annotations, read_results
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, encode_mask
from bpr.io.files import sha256_of, write_json
from bpr.io.image_list import spread
from bpr.refinement.refiner import Refiner

REAL = "YOLOv8n-seg, real"
METRICS = ("IoU", "boundary IoU", "F@1px", "F@2px")
LEAST_IOU = 0.5


@dataclass(frozen=True)
class Source:
    """A set of images with its files under DATA; ``small`` if most objects are, which get finer makers too."""

    name: str
    images: str
    annotations: str
    detections: str | None = None
    small: bool = False
    only: Callable[[Any, int, int], bool] = lambda image, place, count: True
    """Whether an image counts, by its entry, its place and the number of images."""


SETS = {
    "davis_val": Source("DAVIS val", *VAL["davis_val"]),
    "crisp": Source(
        "crisp tenth", "crisp/images", "crisp/instances.json", "detections/crisp.segm.json", only=TRAINING_SETS["crisp"][1]
    ),
    "coco_val": Source("COCO val", *VAL["coco_val2017"]),
    "nuclei": Source("nuclei", "nuclei/images", "nuclei/instances.json", small=True),
}


@dataclass(frozen=True)
class Pair:
    """An object and a coarse mask of it."""

    image_id: Any
    truth: Record
    coarse: BoxMask


class Images:
    """The images of a set, its objects, and the coarse masks that makers give them."""

    def __init__(self, data: Path, source: Source, limit: int | None) -> None:
        document = prepare_annotations(read_annotations(data / source.annotations), source.annotations)
        every = document["images"]
        images = spread([image for place, image in enumerate(every) if source.only(image, place, len(every))], limit)
        self.paths = {image["id"]: data / source.images / image["file_name"] for image in images}
        objects = [annotation for annotation in document["annotations"] if not annotation["iscrowd"]]
        self.document = on_images({**document, "annotations": objects}, images)
        self.detections = data / source.detections if source.detections else None
        self.small = source.small

    def makers(self) -> list[str]:
        return [*([REAL] if self.detections else []), *MAKERS, *(FINE_MAKERS if self.small else [])]

    def pairs(self, maker: str) -> list[Pair]:
        """Objects whose coarse mask would be matched to them, image by image."""
        found = self._detected() if maker == REAL else self._derived(maker)
        order = {image_id: place for place, image_id in enumerate(self.paths)}
        return sorted(found, key=lambda pair: order[pair.image_id])

    def _detected(self) -> Iterator[Pair]:
        assert self.detections
        records = [record for record in read_results(self.detections) if record["image_id"] in self.paths]
        checked = prepare_detections(records, self.document, self.detections.name).records
        for pair in match_pairs(checked, self.document):
            yield Pair(pair.image_id, pair.annotation, decode_mask(checked[pair.record]["segmentation"]))

    def _derived(self, maker: str) -> Iterator[Pair]:
        for annotation in self.document["annotations"]:
            truth = decode_mask(annotation["segmentation"])
            if truth.area:
                coarse = made(maker, truth, int(annotation["id"]))
                if overlap(coarse, truth).iou >= LEAST_IOU:
                    yield Pair(annotation["image_id"], annotation, coarse)


def refined_pairs(refiner: Refiner, images: Images, pairs: Sequence[Pair]) -> Iterator[tuple[Pair, BoxMask]]:
    """Every pair with its refined mask; the masks of an image are refined together."""
    groups = by_image(pairs)
    asked = ((images.paths[image_id], [encode_mask(pair.coarse) for pair in group]) for image_id, group in groups.items())
    for group, refined in zip(groups.values(), refiner.stream(asked), strict=True):
        yield from zip(group, map(decode_mask, refined), strict=True)


def measure(images: Images, pairs: Sequence[Pair], refiner: Refiner) -> dict[str, Any]:
    """All numbers of one maker on one set."""
    before, after, missing, image_of = [], [], np.zeros(2), []
    numbers = {image_id: number for number, image_id in enumerate(by_image(pairs))}
    start = time.process_time()
    for pair, mask in refined_pairs(refiner, images, pairs):
        truth = decode_mask(pair.truth["segmentation"])
        before.append(scores(pair.coarse, truth))
        after.append(scores(mask, truth))
        missing += still_missing(pair.coarse, mask, truth)
        image_of.append(numbers[pair.image_id])
    spent = round(time.process_time() - start, 1)
    return {**summary(np.array(before), np.array(after), np.array(image_of), missing), "seconds": spent}


def scores(mask: BoxMask, truth: BoxMask) -> list[float]:
    """IoU, boundary IoU, F at 1 and 2 px."""
    near, far = boundary_counts_at(mask, truth, [1, 2])
    return [overlap(mask, truth).iou, boundary_overlap(mask, truth).iou, near.f, far.f]


def still_missing(coarse: BoxMask, refined: BoxMask, truth: BoxMask) -> np.ndarray:
    """Pixels of the object that the coarse mask lacks, and those of them that the refined mask lacks."""
    lacking = truth.pixels & ~coarse.window(truth.box)
    return np.array([lacking.sum(), (lacking & ~refined.window(truth.box)).sum()])


def summary(before: np.ndarray, after: np.ndarray, image_of: np.ndarray, missing: np.ndarray) -> dict[str, Any]:
    """Means and intervals of (N, metrics) scores; harm is counted by IoU."""
    change, count = after[:, 0] - before[:, 0], int(image_of.max()) + 1
    rows = {}
    for name, old, new in zip(METRICS, before.T, after.T, strict=True):
        low, high = interval(Ratios.mean(old, image_of, count), Ratios.mean(new, image_of, count))
        change_of_mean = [float((new - old).mean()), low, high]
        rows[name] = {"before": float(old.mean()), "after": float(new.mean()), "change": change_of_mean}
    shares = {f"harmed_{points}": float((change < -points / 100).mean()) for points in (1, 5)}
    shares |= {f"improved_{points}": float((change > points / 100).mean()) for points in (1, 5)}
    still = float(missing[1] / missing[0]) if missing[0] else None
    return {"masks": len(before), "images": count, **rows, **shares, "still_missing": still}


def table(result: dict[str, Any]) -> str:
    """All makers of all sets as Markdown."""
    head = ["set", "coarse masks", "masks", *METRICS, "change of IoU, points (95 %)", "harmed > 1 / > 5", "still missing"]
    rows = []
    for key, makers in result["sets"].items():
        for maker, cell in makers.items():
            sides = ((100 * cell[name]["before"], 100 * cell[name]["after"]) for name in METRICS)
            arrows = [f"{before:.1f} -> {after:.1f}" for before, after in sides]
            mean, low, high = (100 * value for value in cell["IoU"]["change"])
            still = "" if cell["still_missing"] is None else f"{100 * cell['still_missing']:.0f} %"
            harmed = f"{100 * cell['harmed_1']:.1f} % / {100 * cell['harmed_5']:.1f} %"
            change = f"{mean:+.2f} ({low:+.2f} .. {high:+.2f})"
            rows.append([SETS[key].name, maker, str(cell["masks"]), *arrows, change, harmed, still])
    return markdown_table(head, rows, left=2)


def main(words: Sequence[str] | None = None) -> int:
    parser = script_parser(__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("models", nargs="+", help="names of models, or .onnx files")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--makers", nargs="+", choices=[REAL, *MAKERS, *FINE_MAKERS], help="default: all that a set has")
    parser.add_argument("--images", type=int, help="at most so many images of every set, evenly spread")
    parser.add_argument("--caution", type=float, help="as of bpr refine")
    parser.add_argument("--out", type=Path, default=RESULTS / "sources", help="folder (default: %(default)s)")
    args = parser.parse_args(words)
    sets = {name: Images(args.data, SETS[name], args.images) for name in args.sets}
    for model in args.models:
        digest = sha256_of(model_file(model))
        identity = {"model": Path(model).stem, "sha256": digest, "caution": args.caution}
        name = ".".join([Path(model).stem, *([f"caution-{args.caution:g}"] if args.caution is not None else [])])
        path = args.out / f"{name}.json"
        earlier = earlier_report(path, identity)
        found, limits = earlier.get("sets", {}), earlier.get("images", {})
        refiner = bpr.load(model, caution=args.caution)
        for key, images in sets.items():
            if limits.get(key) != args.images:
                found.pop(key, None)
            limits[key] = args.images
            for maker in args.makers or images.makers():
                pairs = images.pairs(maker) if maker in images.makers() else []
                if pairs:
                    found.setdefault(key, {})[maker] = measure(images, pairs, refiner)
                    made_by = {"date": time.strftime("%Y-%m-%d"), "version": bpr.__version__}
                    result = {**identity, **made_by, "images": limits, "sets": found}
                    write_json(path, result, indent=1)
                    print(table({"sets": {key: {maker: found[key][maker]}}}).splitlines()[-1], flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
