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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import bpr
from benchmarks.inputs import VAL, Split
from benchmarks.measuring import RESULTS, earlier_report, markdown_table, script_parser
from benchmarks.studies.source_makers import FINE_MAKERS, MAKERS, made
from benchmarks.training.ledger import FILES
from benchmarks.training.split_data import SETS as TRAINING_SETS
from bpr.backends import model_file
from bpr.evaluation.bootstrap import Ratios, interval
from bpr.evaluation.boundary_metrics import boundary_counts_at, boundary_overlap, overlap
from bpr.evaluation.matching import PAIR_IOU, grouped
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, encode_mask
from bpr.io.files import sha256_of, write_json
from bpr.io.image_list import spread
from bpr.refinement.refiner import Refiner

REAL = "YOLOv8n-seg, real"
METRICS = ("IoU", "boundary IoU", "F@1px", "F@2px")


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
    "crisp": Source("crisp tenth", "crisp/images", FILES["crisp"], "detections/crisp.segm.json", only=TRAINING_SETS["crisp"][1]),
    "coco_val": Source("COCO val", *VAL["coco_val2017"]),
    "nuclei": Source("nuclei", "nuclei/images", "nuclei/instances.json", small=True),
}


class Pair(NamedTuple):
    """An object and a coarse mask of it."""

    image_id: Any
    truth: BoxMask
    coarse: BoxMask


def opened(data: Path, source: Source, limit: int | None) -> Split:
    """The part of a set that counts, on at most ``limit`` images, evenly spread."""

    def choose(every: list[Any]) -> list[Any]:
        return spread([image for place, image in enumerate(every) if source.only(image, place, len(every))], limit)

    files = (data / file if file else None for file in (source.images, source.annotations, source.detections))
    return Split.of(source.name, *files, choose)


def makers_of(source: Source) -> list[str]:
    return [*([REAL] if source.detections else []), *MAKERS, *(FINE_MAKERS if source.small else [])]


def pairs_of(split: Split, maker: str) -> dict[Any, list[Pair]]:
    """Objects whose coarse mask would be matched to them, by image in the order of the images."""
    groups = grouped(_detected(split) if maker == REAL else _derived(split, maker), lambda pair: pair.image_id)
    return {image["id"]: groups[image["id"]] for image in split.document["images"] if image["id"] in groups}


def _detected(split: Split) -> Iterator[Pair]:
    for pair in split.pairs:
        yield Pair(pair.image_id, pair.truth, decode_mask(split.records[pair.record]["segmentation"]))


def _derived(split: Split, maker: str) -> Iterator[Pair]:
    for annotation in split.document["annotations"]:
        truth = decode_mask(annotation["segmentation"])
        if truth.area and not annotation["iscrowd"]:
            coarse = made(maker, truth, int(annotation["id"]))
            if overlap(coarse, truth).iou >= PAIR_IOU:
                yield Pair(annotation["image_id"], truth, coarse)


def measure(split: Split, groups: Mapping[Any, Sequence[Pair]], refiner: Refiner) -> dict[str, Any]:
    """All numbers of one maker on one set; the masks of an image are refined together."""
    before, after, missing, image_of = [], [], np.zeros(2), []
    asked = ((split.images.path(image_id), [encode_mask(pair.coarse) for pair in group]) for image_id, group in groups.items())
    start = time.process_time()
    for number, (group, masks) in enumerate(zip(groups.values(), refiner.stream(asked), strict=True)):
        for pair, mask in zip(group, map(decode_mask, masks), strict=True):
            before.append(scores(pair.coarse, pair.truth))
            after.append(scores(mask, pair.truth))
            missing += still_missing(pair.coarse, mask, pair.truth)
            image_of.append(number)
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
    parser.add_argument("--out", type=Path, default=RESULTS / "sources", help="folder (default: %(default)s)")
    args = parser.parse_args(words)
    sets = {name: opened(args.data, SETS[name], args.images) for name in args.sets}
    for model in args.models:
        stem, refiner = Path(model).stem, bpr.load(model)
        identity = {"model": stem, "sha256": sha256_of(model_file(model))}
        path = args.out / f"{stem}.json"
        earlier = earlier_report(path, identity)
        found, limits = earlier.get("sets", {}), earlier.get("images", {})
        for key, split in sets.items():
            if limits.get(key) != args.images:
                found.pop(key, None)
            limits[key] = args.images
            for maker in makers_of(SETS[key]):
                groups = pairs_of(split, maker) if not args.makers or maker in args.makers else {}
                if groups:
                    found.setdefault(key, {})[maker] = measure(split, groups, refiner)
                    made_by = {"date": time.strftime("%Y-%m-%d"), "version": bpr.__version__}
                    write_json(path, {**identity, **made_by, "images": limits, "sets": found}, indent=1)
                    print(table({"sets": {key: {maker: found[key][maker]}}}).splitlines()[-1], flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
