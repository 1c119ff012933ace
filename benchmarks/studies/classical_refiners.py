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
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.inputs import Split, means
from benchmarks.measuring import markdown_table, provenance, script_parser, write_report
from bpr.errors import BPRError
from bpr.evaluation.boundary_metrics import disk
from bpr.evaluation.comparison import check_aligned
from bpr.evaluation.prepare import prepare_detections
from bpr.formats.coco import Record, read_results
from bpr.geometry.boxes import grow
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, encode_mask
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
    foreground = decide(np.ascontiguousarray(image[y0:y1, x0:x1]), trimap)
    return BoxMask((foreground | trimap.inside) & ~trimap.outside, x0, y0, mask.frame).trimmed()


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
    for name, decide in banded.items():
        found[f"{name}, band {BAND:g} sqrt(area)"] = partial(in_band, decide=decide)
    return found


def measure(split: Split, name: str, refine: Refine) -> dict[str, Any]:
    """Refine the mask of every matched pair; only ``refine`` is timed."""
    read_once = lru_cache(maxsize=1)(lambda image_id: read_image(split.images.path(image_id)))
    after, seconds = list(split.records), 0.0
    for pair in sorted(split.pairs, key=lambda pair: str(pair.image_id)):
        record = split.records[pair.record]
        image, mask = read_once(pair.image_id), decode_mask(record["segmentation"])
        start = time.perf_counter()
        refined = refine(image, mask) if mask.area else mask
        seconds += time.perf_counter() - start
        after[pair.record] = {**record, "segmentation": encode_mask(refined)}
    return table_row(split, name, after, 1000 * seconds / len(split.pairs))


def table_row(split: Split, name: str, after: Sequence[Record], milliseconds: float | None = None) -> dict[str, Any]:
    """One row of the table; milliseconds per instance, None if the masks came from a file."""
    return {"name": name, "comparison": split.compared(after), "milliseconds": milliseconds}


def cells(row: dict[str, Any]) -> list[str]:
    """Changes in points with their 95 % interval, shares in percent."""
    changes, shares = row["comparison"]["changes"].values(), row["comparison"]["shares"]
    points = [f"{100 * c['mean']:+.2f} [{100 * c['low']:+.2f}, {100 * c['high']:+.2f}]" for c in changes]
    parts = [f"{100 * shares[name]:.0f} %" for name in ("improved", "harmed", "harmed_clearly")]
    return [row["name"], *points, *parts, "-" if row["milliseconds"] is None else f"{row['milliseconds']:.1f}"]


def markdown(rows: Sequence[dict[str, Any]], split: Split) -> str:
    """The table, changes in points."""
    values = zip(HEADER[1:4], means(split.coarse).values(), strict=True)
    before = ", ".join(f"{name} {100 * value:.2f}" for name, value in values)
    images = len({pair.image_id for pair in split.pairs})
    note = f"{len(split.pairs)} matched pairs in {images} images; before: {before}. Changes in points [95 % interval]."
    return f"{note}\n\n{markdown_table(HEADER, map(cells, rows))}\n"


def run(args: argparse.Namespace) -> None:
    split = Split.of("coarse", args.img_dir, args.ann, args.results)
    images = split.document["images"][: args.limit]
    ids = {image["id"] for image in images}
    annotations = [annotation for annotation in split.document["annotations"] if annotation["image_id"] in ids]
    split = replace(split, document={**split.document, "images": images, "annotations": annotations})
    if not split.pairs:
        name = split.detections.name
        raise BPRError(f"{name}: expected detections that match the annotations (same class, IoU >= .5), got none")
    rows = [measure(split, name, refine) for name, refine in methods().items()]
    steps = [row for row in rows if row["name"].startswith(STEP_NAME)]
    best = max(steps, key=lambda row: row["comparison"]["changes"]["boundary_f"]["mean"])
    rows.append({**best, "name": f"best {best['name']}"})
    if args.refined:
        refined = prepare_detections(read_results(args.refined), split.document, str(args.refined))
        check_aligned(split.detections, refined)
        rows.append(table_row(split, f"refined: {args.refined.name}", refined.records))
    report = {"pairs": len(split.pairs), "before": means(split.coarse), "methods": rows, "provenance": provenance()}
    write_report(args.out, report, markdown(rows, split))


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
