"""What a user could do without a network, on the same matched pairs: the baselines of every quality table.

    python -m benchmarks.studies.classical_refiners results.segm.json --ann ANN --img-dir IMAGES --out table.json

Constant erosion or dilation, GrabCut and random walker, beside an optional refined file. The best constant step is
chosen on these very pairs, so it is an upper bound of what a constant can do.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from bpr.evaluation.inputs import check_detections
from bpr.evaluation.matched_pairs import PairScores, check_aligned, compare, score_masks, score_records

from benchmarks.inputs import Split
from benchmarks.measuring import markdown_table, provenance, script_parser, write_report
from bpr.errors import BPRError
from bpr.evaluation.boundary_metrics import disk
from bpr.formats.coco import read_results
from bpr.geometry.boxes import grow
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask
from bpr.io.images import read_image

STEPS = range(-3, 4)
STEP_NAME = "constant step"
BAND = 0.04
MARGIN = 24
HEADER = ("method", "IoU", "boundary IoU", "F@2px", "improved", "harmed", "harmed > 1 point", "ms")

Refine = Callable[[np.ndarray, BoxMask], BoxMask]


@dataclass(frozen=True)
class Trimap:
    """A crop around a mask, in which only the band along the boundary is undecided.

    ``box`` is the crop in the frame; ``mask``, ``inside`` and ``outside`` are (h, w) bool.
    """

    box: tuple[int, int, int, int]
    mask: np.ndarray
    inside: np.ndarray
    outside: np.ndarray

    @classmethod
    def around(cls, mask: BoxMask) -> Trimap:
        """A band of .04 sqrt(area), at least 1 px, on either side of the boundary."""
        width = max(1.0, BAND * float(np.sqrt(mask.area)))
        box = grow(mask.box, int(np.ceil(width)) + MARGIN, mask.frame)
        crop = mask.window(box)
        parts = (part.astype(np.uint8) for part in (crop, ~crop))
        depth, distance = (cv2.distanceTransform(part, cv2.DIST_L2, 5) for part in parts)
        return cls(box, crop, depth > width, distance > width)

    @property
    def usable(self) -> bool:
        """There are pixels inside, pixels outside, and pixels to decide."""
        return bool(self.inside.any() and self.outside.any() and not (self.inside | self.outside).all())

    def decided(self, foreground: np.ndarray, frame: tuple[int, int]) -> BoxMask:
        """The mask with ``foreground``, (h, w) bool, in the band."""
        return BoxMask((foreground | self.inside) & ~self.outside, self.box[0], self.box[1], frame).trimmed()


def shift_boundary(image: np.ndarray, mask: BoxMask, step: int) -> BoxMask:
    """Dilate by ``step`` pixels, erode where it is negative; the edge of the image is no boundary."""
    box = grow(mask.box, abs(step) + 1, mask.frame)
    change = cv2.dilate if step > 0 else cv2.erode
    pixels = change(mask.window(box).astype(np.uint8), disk(abs(step)))
    return BoxMask(pixels > 0, box[0], box[1], mask.frame).trimmed()


def in_band(image: np.ndarray, mask: BoxMask, decide: Callable[[np.ndarray, Trimap], np.ndarray]) -> BoxMask:
    """Apply ``decide`` to the band of a mask; a mask too small to have an inside stays as it is."""
    trimap = Trimap.around(mask)
    if not trimap.usable:
        return mask
    x0, y0, x1, y1 = trimap.box
    return trimap.decided(decide(np.ascontiguousarray(image[y0:y1, x0:x1]), trimap), mask.frame)


def grab_cut(crop: np.ndarray, trimap: Trimap) -> np.ndarray:
    """Rother et al. 2004 by OpenCV, 3 iterations, started from the coarse mask."""
    labels = np.where(trimap.mask, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[trimap.inside], labels[trimap.outside] = cv2.GC_FGD, cv2.GC_BGD
    cv2.setRNGSeed(0)  # else the result depends on the order of instances
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(crop, labels, (0, 0, 0, 0), background, foreground, 3, cv2.GC_INIT_WITH_MASK)
    return (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)


def random_walk(crop: np.ndarray, trimap: Trimap) -> np.ndarray:
    """Grady 2006 by scikit-image."""
    from skimage.segmentation import random_walker

    labels = trimap.inside + 2 * trimap.outside
    with warnings.catch_warnings():
        # The solver stops early, with probabilities slightly outside [0, 1]; only the larger one counts.
        warnings.filterwarnings("ignore", "The probability range")
        return np.asarray(random_walker(crop, labels, beta=130, mode="cg_j", channel_axis=-1) == 1)


def methods() -> dict[str, Refine]:
    """Every baseline by its name in the table."""
    found: dict[str, Refine] = {f"{STEP_NAME} {step:+d} px": partial(shift_boundary, step=step) for step in STEPS}
    banded = {"GrabCut": grab_cut, "random walker": random_walk}
    return found | {
        f"{name}, band {BAND:g} sqrt(area)": partial(in_band, decide=decide) for name, decide in banded.items()
    }


class Bench:
    """The matched pairs of the first images of a split, on which every method is measured."""

    def __init__(self, split: Split, limit: int | None) -> None:
        kept = {image["id"] for image in split.document["images"][:limit]}
        self.pairs = [pair for pair in split.pairs if pair.image_id in kept]
        if not self.pairs:
            name = split.detections.name
            raise BPRError(f"{name}: expected detections that match the annotations (same class, IoU >= .5), got none")
        self.masks = [decode_mask(split.records[pair.record]["segmentation"]) for pair in self.pairs]
        self.before = score_records(split.records, self.pairs)
        self.image_of = lru_cache(maxsize=1)(lambda image_id: read_image(split.images.path(image_id)))

    def measure(self, name: str, refine: Refine) -> dict[str, Any]:
        """Refine every mask; only ``refine`` is timed."""
        refined, seconds = list(self.masks), 0.0
        for index in sorted(range(len(self.pairs)), key=lambda index: str(self.pairs[index].image_id)):
            image, mask = self.image_of(self.pairs[index].image_id), self.masks[index]
            start = time.perf_counter()
            refined[index] = refine(image, mask) if mask.area else mask
            seconds += time.perf_counter() - start
        return self.row(name, score_masks(refined, self.pairs), 1000 * seconds / len(self.pairs))

    def row(self, name: str, after: PairScores, milliseconds: float | None = None) -> dict[str, Any]:
        """One row of the table; milliseconds per instance, None if the masks came from a file."""
        comparison = asdict(compare(self.before, after, self.pairs))
        return {"name": name, "comparison": comparison, "milliseconds": milliseconds}


def cells(row: dict[str, Any]) -> list[str]:
    """Changes in points with their 95 % interval, shares in percent."""
    changes, shares = row["comparison"]["changes"].values(), row["comparison"]["shares"]
    points = [f"{100 * c['mean']:+.2f} [{100 * c['low']:+.2f}, {100 * c['high']:+.2f}]" for c in changes]
    parts = [f"{100 * shares[name]:.0f} %" for name in ("improved", "harmed", "harmed_clearly")]
    return [row["name"], *points, *parts, "-" if row["milliseconds"] is None else f"{row['milliseconds']:.1f}"]


def markdown(rows: Sequence[dict[str, Any]], bench: Bench) -> str:
    """The table, changes in points."""
    values = zip(HEADER[1:4], bench.before.means().values(), strict=True)
    means = ", ".join(f"{name} {100 * value:.2f}" for name, value in values)
    images = len({pair.image_id for pair in bench.pairs})
    note = f"{len(bench.pairs)} matched pairs in {images} images; before: {means}. Changes in points [95 % interval]."
    return f"{note}\n\n{markdown_table(HEADER, map(cells, rows))}\n"


def run(args: argparse.Namespace) -> None:
    split = Split.of("coarse", args.img_dir, args.ann, args.results)
    bench = Bench(split, args.limit)
    rows = [bench.measure(name, refine) for name, refine in methods().items()]
    steps = [row for row in rows if row["name"].startswith(STEP_NAME)]
    best = max(steps, key=lambda row: row["comparison"]["changes"]["boundary_f"]["mean"])
    rows.append({**best, "name": f"best {best['name']}"})
    if args.refined:
        refined = check_detections(read_results(args.refined), split.document, str(args.refined))
        check_aligned(split.detections, refined)
        rows.append(bench.row(f"refined: {args.refined.name}", score_records(refined.records, bench.pairs)))
    report = {"pairs": len(bench.pairs), "before": bench.before.means(), "methods": rows, "provenance": provenance()}
    write_report(args.out, report, markdown(rows, bench))


def main(argv: Sequence[str] | None = None) -> int:
    parser = script_parser(__doc__)
    parser.add_argument("results", type=Path, help="COCO results JSON of a detector")
    parser.add_argument("--ann", type=Path, required=True, help="COCO annotation file with the ground truth")
    parser.add_argument("--img-dir", type=Path, required=True, help="folder of the images")
    parser.add_argument("--refined", type=Path, help="results JSON of a network: one more row")
    parser.add_argument("--limit", type=int, help="use only the first N images")
    parser.add_argument("--out", type=Path, required=True, help="the numbers; the table goes beside them (.md)")
    args = parser.parse_args(argv)
    try:
        run(args)
    except BPRError as error:
        print(f"classical_refiners: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
