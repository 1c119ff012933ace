"""Does a model gain the same on a photo of any size? The same content at 1x, 2x and 4x, with errors in proportion.

    python -m benchmarks.studies.photo_sizes DATA MODEL [MODEL ...] [--images N] [--makers NAME ...]

DATA holds davis/, crisp/ and detections/. Sets: DAVIS val and the tenth of the crisp photographs that no training sees.
The image of every object is enlarged (cubic), and so are its ground truth and its coarse mask. The largest object of an
image counts, if its coarse mask has an IoU of .5 or more. "Shrunk first": the photo at 4x is reduced to 1x, refined
there, and its mask is enlarged. F counts boundaries within 2 px at 1x, 4 px at 2x, 8 px at 4x. "Closed": the share of
what the coarse masks lacked in IoU.

Last, the time for five masks of a DAVIS frame as a photo of 3 and of 12 megapixels. Writes MODEL.json and MODEL.md to
--out.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import bpr
from benchmarks.inputs import Split
from benchmarks.measuring import RESULTS, Timing, in_turn, markdown_table, provenance, script_parser, write_report
from benchmarks.studies.source_makers import MAKERS
from benchmarks.studies.sources import REAL, SETS, opened, pairs_of
from bpr.backends import model_file
from bpr.evaluation.boundary_metrics import boundary_counts_at, overlap
from bpr.geometry.masks import BoxMask
from bpr.io.files import sha256_of
from bpr.io.images import read_image
from bpr.refinement.refiner import Refiner

SCALES = (1, 2, 4)
SHRUNK = "shrunk first"
TOLERANCE = 2
MEGAPIXELS = (3, 12)
MASKS = 5
SOURCES = [SETS["davis_val"], SETS["crisp"]]


@dataclass(frozen=True)
class Case:
    """An object with its image and a coarse mask: (H, W, 3), (H, W) and (H, W)."""

    image: np.ndarray
    truth: np.ndarray
    coarse: np.ndarray

    def enlarged(self, scale: int) -> Case:
        if scale == 1:
            return self
        image = cv2.resize(self.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        return Case(image, enlarged(self.truth, scale), enlarged(self.coarse, scale))


def enlarged(mask: np.ndarray, scale: float) -> np.ndarray:
    """A bool mask, enlarged along a smooth outline."""
    return cv2.resize(mask.astype(np.float32), None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC) > 0.5


def cases(split: Split, maker: str) -> Iterator[Case]:
    """The largest object of every image."""
    for image_id, pairs in pairs_of(split, maker).items():
        pair = max(pairs, key=lambda pair: pair.truth.area)
        truth, coarse = pair.truth.to_frame(), pair.coarse.to_frame()
        yield Case(read_image(split.images.path(image_id), truth.shape), truth, coarse)


def refined(refiner: Refiner, case: Case, scale: int, shrink: bool) -> np.ndarray:
    if not shrink:
        return refiner(case.image, case.coarse)
    size = case.coarse.shape[1] // scale, case.coarse.shape[0] // scale
    image = cv2.resize(case.image, size, interpolation=cv2.INTER_AREA)
    coarse = cv2.resize(case.coarse.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5
    return enlarged(refiner(image, coarse), scale)


def scores(mask: np.ndarray, truth: np.ndarray, scale: int) -> tuple[float, float]:
    """IoU and F."""
    found, known = BoxMask.from_frame(mask), BoxMask.from_frame(truth)
    (counts,) = boundary_counts_at(found, known, [TOLERANCE * scale])
    return overlap(found, known).iou, counts.f


def measure(refiner: Refiner, split: Split, maker: str) -> dict[str, Any]:
    """Mean scores before and after of every way, and seconds per mask."""
    found: dict[str, list[tuple[float, ...]]] = {}
    ways = [(f"{scale}x", scale, False) for scale in SCALES] + [(SHRUNK, SCALES[-1], True)]
    for small in cases(split, maker):
        for name, scale, shrink in ways:
            case = small.enlarged(scale)
            start = time.perf_counter()
            mask = refined(refiner, case, scale, shrink)
            spent = time.perf_counter() - start
            before, after = scores(case.coarse, case.truth, scale), scores(mask, case.truth, scale)
            found.setdefault(name, []).append((*before, *after, spent))
    names = ("iou_before", "f_before", "iou", "f", "seconds")
    means = {way: dict(zip(names, np.mean(rows, axis=0).tolist(), strict=True)) for way, rows in found.items()}
    return {"masks": len(found.get("1x", ())), "ways": means}


def times(refiner: Refiner, split: Split, repeats: int) -> dict[str, float]:
    """Seconds for ``MASKS`` masks of a photo, by megapixels: a frame with its objects, over and over, enlarged."""
    image_id, pairs = max(pairs_of(split, "28x28 head").items(), key=lambda item: len(item[1]))
    masks = [pair.coarse.to_frame() for pair in pairs]
    image, masks = read_image(split.images.path(image_id), masks[0].shape), (masks * MASKS)[:MASKS]
    sides = {}
    for megapixels in MEGAPIXELS:
        scale = float(np.sqrt(megapixels * 1e6 / masks[0].size))
        photo = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        stack = np.stack([enlarged(mask, scale) for mask in masks])
        sides[str(megapixels)] = lambda photo=photo, stack=stack: refiner(photo, stack)
    return {name: Timing.of(seconds).median for name, seconds in in_turn(sides, repeats).items()}


def markdown(report: dict[str, Any]) -> str:
    rows = []
    for row in report["rows"]:
        for way, one in row["ways"].items():
            gain, f = 100 * (one["iou"] - one["iou_before"]), 100 * (one["f"] - one["f_before"])
            closed = f"{(one['iou'] - one['iou_before']) / (1 - one['iou_before']):.0%}" if one["iou_before"] < 1 else ""
            arrow = f"{100 * one['iou_before']:.1f} -> {100 * one['iou']:.1f}"
            head = [row["set"], row["maker"], str(row["masks"]), way]
            rows.append([*head, arrow, f"{gain:+.2f}", closed, f"{f:+.1f}", f"{one['seconds']:.2f}"])
    head = ["set", "coarse masks", "masks", "photo", "IoU", "gain", "closed", "F gain", "seconds"]
    few, many = (report["times"][str(megapixels)] for megapixels in MEGAPIXELS)
    pair = f"{few:.2f} s at {MEGAPIXELS[0]} MP, {many:.2f} s at {MEGAPIXELS[1]} MP"
    return f"{markdown_table(head, rows, left=2)}\n\n{MASKS} masks: {pair} ({many / few:.2f} times)\n"


def main(words: Sequence[str] | None = None) -> int:
    parser = script_parser(__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("models", nargs="+", help="names of models, or .onnx files")
    parser.add_argument("--images", type=int, default=20, help="images of each set, evenly spread (default: %(default)s)")
    parser.add_argument("--makers", nargs="+", choices=[REAL, *MAKERS], default=[REAL, "28x28 head", "brush strokes", "truth"])
    parser.add_argument("--repeats", type=int, default=3, help="of the timing (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=RESULTS / "photo_sizes", help="folder (default: %(default)s)")
    args = parser.parse_args(words)
    splits = [opened(args.data, source, args.images) for source in SOURCES]
    for model in args.models:
        refiner = bpr.load(model)
        rows = [
            {"set": split.name, "maker": maker, **measure(refiner, split, maker)} for split in splits for maker in args.makers
        ]
        head = {"model": Path(model).stem, "sha256": sha256_of(model_file(model))}
        report = {**head, "rows": rows, "times": times(refiner, splits[0], args.repeats), "provenance": provenance()}
        write_report(args.out / f"{Path(model).stem}.json", report, markdown(report))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
