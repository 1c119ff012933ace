"""What a user could do without our network, on the same matched pairs: the rivals of every quality table.

    python -m benchmarks.studies.classical_refiners results.segm.json --ann ANN --img-dir IMAGES --model starter --out table.json

Constant erosion or dilation, GrabCut, random walker, OpenCV's edge-preserving filters, DenseCRF and closed-form matting,
beside a model. The best constant step is chosen on these very pairs, so it is an upper bound of what a constant can do.
Parameters are those of the methods' authors or the defaults of the packages; none was tuned here. A method whose package
is not installed (opencv-contrib-python-headless, scikit-image, pydensecrf2, pymatting) is left out, which the table says.

Each rival runs in a process of its own on one thread, one mask at a time. The model refines all detections of the images
as `bpr refine --min-score 0.05` does, because its verdict sees the masks of an image together; its time includes reading
images and masks. Milliseconds are processor time per mask, so waiting on a shared machine does not count; memory is the
growth of the peak, with the method's libraries and model.

Rows of an earlier run on the same pairs stay in the table, so after a new model `--methods BPR` is enough.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from benchmarks.inputs import Split, means
from benchmarks.measuring import (
    PACKAGES,
    earlier_report,
    in_own_process,
    markdown_table,
    peak_mebibytes,
    provenance,
    script_parser,
    write_report,
)
from bpr.backends import load_refiner, model_file
from bpr.cli.main import run_script
from bpr.errors import BPRError, amount
from bpr.evaluation.boundary_metrics import disk
from bpr.evaluation.matching import PAIR_SCORE
from bpr.formats.coco import Record
from bpr.geometry.boxes import grow
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, encode_mask
from bpr.io.files import sha256_of, write_json
from bpr.io.image_finder import ImageFolder
from bpr.io.images import read_image
from bpr.refinement.runner import refine_records

STEPS = range(-3, 4)
STEP_NAME = "constant step"
BAND = 0.04
MARGIN = 24
OURS = "BPR "
CHANGES = ("iou", "boundary_iou", "boundary_f")

Refine = Callable[[np.ndarray, BoxMask], BoxMask]
Decide = Callable[[np.ndarray, "Trimap"], np.ndarray]
Run = Callable[[Sequence[Record], ImageFolder], "Spent"]


@dataclass(frozen=True)
class Trimap:
    """A crop around a mask, in which only the band along the boundary is undecided.

    ``box`` is the crop in the frame; ``mask``, ``inside`` and ``outside`` are (h, w) bool. The band is ``width`` pixels
    wide on either side of the boundary.
    """

    box: tuple[int, int, int, int]
    mask: np.ndarray
    inside: np.ndarray
    outside: np.ndarray
    width: float

    @classmethod
    def around(cls, mask: BoxMask) -> Trimap:
        """A band of .04 sqrt(area), at least 1 px, on either side of the boundary."""
        width = max(1.0, BAND * float(np.sqrt(mask.area)))
        box = grow(mask.box, int(np.ceil(width)) + MARGIN, mask.frame)
        crop = mask.window(box)
        parts = (part.astype(np.uint8) for part in (crop, ~crop))
        depth, distance = (cv2.distanceTransform(part, cv2.DIST_L2, 5) for part in parts)
        return cls(box, crop, depth > width, distance > width, width)

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


def in_band(image: np.ndarray, mask: BoxMask, decide: Decide) -> BoxMask:
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


def guided_filter(crop: np.ndarray, trimap: Trimap) -> np.ndarray:
    """He et al. 2010 by OpenCV, with the eps of their feathering and a radius of twice the band."""
    soft = cv2.ximgproc.guidedFilter(crop, trimap.mask.astype(np.float32), round(2 * trimap.width), 1e-6 * 255**2)
    return np.asarray(soft > 0.5)


def global_smoother(crop: np.ndarray, trimap: Trimap) -> np.ndarray:
    """Min et al. 2014 by OpenCV, with the lambda and sigma of their paper."""
    soft = cv2.ximgproc.fastGlobalSmootherFilter(crop, trimap.mask.astype(np.float32), 900.0, 0.03 * 255)
    return np.asarray(soft > 0.5)


def weighted_median(crop: np.ndarray, trimap: Trimap) -> np.ndarray:
    """Zhang et al. 2014 by OpenCV, with a radius of the band."""
    return np.asarray(cv2.ximgproc.weightedMedianFilter(crop, trimap.mask.astype(np.uint8), max(1, round(trimap.width))) > 0)


def dense_crf(crop: np.ndarray, trimap: Trimap) -> np.ndarray:
    """Kraehenbuehl and Koltun 2011 by pydensecrf2, 5 steps, with the parameters of its example."""
    from pydensecrf.densecrf import DenseCRF2D
    from pydensecrf.utils import unary_from_labels

    height, width = trimap.mask.shape
    field = DenseCRF2D(width, height, 2)
    field.setUnaryEnergy(unary_from_labels(trimap.mask.astype(np.int32), 2, gt_prob=0.7, zero_unsure=False))
    field.addPairwiseGaussian(sxy=3, compat=3)
    field.addPairwiseBilateral(sxy=80, srgb=13, rgbim=crop, compat=10)
    return np.argmax(field.inference(5), axis=0).reshape(height, width) == 1


def closed_form_matting(crop: np.ndarray, trimap: Trimap) -> np.ndarray:
    """Levin et al. 2006 by pymatting: the band is unknown, and an alpha above half is foreground."""
    from pymatting import estimate_alpha_cf

    known = np.where(trimap.inside, 1.0, np.where(trimap.outside, 0.0, 0.5))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Thresholded incomplete Cholesky")  # it tries again with another threshold
        return np.asarray(estimate_alpha_cf(crop / 255, known) > 0.5)


class Rival(NamedTuple):
    """A way to decide about the band, the module it needs, and the package that brings it with its licence."""

    decide: Decide
    module: str
    package: str
    licence: str


CONTRIB = "opencv-contrib-python-headless", "Apache-2.0"
RIVALS = {
    "GrabCut": Rival(grab_cut, "cv2", "opencv-python-headless", "Apache-2.0"),
    "random walker": Rival(random_walk, "skimage", "scikit-image", "BSD-3-Clause"),
    "guided filter": Rival(guided_filter, "cv2.ximgproc", *CONTRIB),
    "fast global smoother": Rival(global_smoother, "cv2.ximgproc", *CONTRIB),
    "weighted median filter": Rival(weighted_median, "cv2.ximgproc", *CONTRIB),
    "DenseCRF": Rival(dense_crf, "pydensecrf", "pydensecrf2", "MIT"),
    "closed-form matting": Rival(closed_form_matting, "pymatting", "pymatting", "MIT"),
}


def is_here(rival: Rival) -> bool:
    """Whether its module can be imported; OpenCV's builds without ximgproc have the name of the package all the same."""
    module = rival.module.removeprefix("cv2.")
    return hasattr(cv2, module) if module != rival.module else find_spec(module) is not None


class Spent(NamedTuple):
    """Refined masks as RLE, processor milliseconds per mask, and the growth of the peak memory in MiB."""

    masks: list[dict[str, Any]]
    milliseconds: float
    mebibytes: float | None


def refine_all(records: Sequence[Record], images: ImageFolder, refine: Refine) -> Spent:
    """Refine one record after the other; the first is refined once before, to warm up."""
    cv2.setNumThreads(1)
    read_once, masks, seconds = lru_cache(1)(read_image), [], 0.0
    before = peak_mebibytes()
    refine(read_once(images.path(records[0]["image_id"])), decode_mask(records[0]["segmentation"]))
    for record in records:
        image, mask = read_once(images.path(record["image_id"])), decode_mask(record["segmentation"])
        start = time.process_time()
        refined = refine(image, mask) if mask.area else mask
        seconds += time.process_time() - start
        masks.append(encode_mask(refined))
    return Spent(masks, 1000 * seconds / len(records), _growth(before))


def by_model(records: Sequence[Record], images: ImageFolder, model: str) -> Spent:
    """Refine with a model of ours as ``bpr refine`` does, after one record to warm up."""
    cv2.setNumThreads(1)
    before = peak_mebibytes()
    refiner = load_refiner(model, threads=1)
    refine_records(records[:1], images, refiner)
    start = time.process_time()
    refined, _ = refine_records(records, images, refiner)
    seconds = time.process_time() - start
    return Spent([record["segmentation"] for record in refined], 1000 * seconds / len(records), _growth(before))


def _growth(before: float | None) -> float | None:
    after = peak_mebibytes()
    return None if before is None or after is None else after - before


def measure(split: Split, name: str, run: Run, alone: bool = True, every: bool = False, **columns: Any) -> dict[str, Any]:
    """One row of the table: the masks of all matched pairs, refined in a process of its own unless ``alone`` is False.

    Args:
        every: refine all detections of their images too, those of a score of at least PAIR_SCORE.
    """
    paired, shown = {pair.record for pair in split.pairs}, {pair.image_id for pair in split.pairs}
    likely = {i for i, one in enumerate(split.records) if one["score"] >= PAIR_SCORE and one["image_id"] in shown}
    indices = sorted(likely if every else paired, key=lambda index: str(split.records[index]["image_id"]))
    records = [split.records[index] for index in indices]
    spent = in_own_process(run, records, split.images) if alone else run(records, split.images)._replace(mebibytes=None)
    refined = [{**record, "segmentation": mask} for record, mask in zip(records, spent.masks, strict=True)]
    print(f"{name}: {spent.milliseconds:.1f} ms", file=sys.stderr)
    costs = {"milliseconds": spent.milliseconds, "mebibytes": spent.mebibytes, "date": time.strftime("%Y-%m-%d")}
    return {"name": name, "comparison": split.compared(split.replaced(indices, refined)), **costs, **columns}


def installed_mebibytes(package: str) -> float | None:
    """The size of a package's own files; None where it is not installed under its name."""
    try:
        return sum(file.size or 0 for file in metadata.files(package) or ()) / 2**20
    except metadata.PackageNotFoundError:
        return None


def gain(row: dict[str, Any]) -> float:
    """The mean change of boundary F."""
    return float(row["comparison"]["changes"]["boundary_f"]["mean"])


def table(report: dict[str, Any]) -> str:
    """One row per refiner on the same matched pairs, with what it costs; only the best of the constant steps."""
    before = " / ".join(f"{100 * report['before'][key]:.1f}" for key in CHANGES)
    rows = sorted((row for row in report["methods"] if not row["name"].startswith(STEP_NAME)), key=gain)
    note = f"{amount(report['pairs'], 'matched pair')}; before: {before}. Changes in points, 95 % interval of F."
    if missing := [method for method in (*RIVALS, OURS.strip()) if not any(row["name"].startswith(method) for row in rows)]:
        note += f" Not measured on this set: {', '.join(missing)}."
    head = ["refiner", "IoU", "boundary IoU", "F@2px", "improved", "harmed", "harmed > 1 point"]
    head += ["ms a mask", "memory, MiB", "package", "its MiB", "licence"]
    return f"{note}\n\n{markdown_table(head, map(cells, rows))}\n"


def cells(row: dict[str, Any]) -> list[str]:
    found, shares = row["comparison"]["changes"], row["comparison"]["shares"]
    changes = [f"{100 * found[key]['mean']:+.2f}" for key in CHANGES]
    changes[-1] += f" ({100 * found['boundary_f']['low']:+.1f} .. {100 * found['boundary_f']['high']:+.1f})"
    parts = [f"{100 * shares[key]:.0f} %" for key in ("improved", "harmed", "harmed_clearly")]
    memory, size = (f"{row[key]:.0f}" if row.get(key) is not None else "" for key in ("mebibytes", "size"))
    spent = f"{row['milliseconds']:.1f}" if memory else ""  # only what ran in a process of its own is comparable
    texts = [row["name"], *changes, *parts, spent, memory, row.get("package", ""), size, row.get("licence", "")]
    return [f"**{text}**" if row["name"].startswith(OURS) and text else text for text in texts]


def rows_of(split: Split, methods: Sequence[str], model: str | None) -> Iterator[dict[str, Any]]:
    """The rows of the methods that are installed, one after the other."""
    if STEP_NAME in methods:
        runs = {f"{STEP_NAME} {step:+d} px": partial(shift_boundary, step=step) for step in STEPS}
        steps = [measure(split, name, partial(refine_all, refine=one), alone=False) for name, one in runs.items()]
        best = max(steps, key=gain)
        yield from [*steps, {**best, "name": f"best {best['name']}"}]
    for name, rival in RIVALS.items():
        if name in methods and is_here(rival):
            costs = {"package": rival.package, "licence": rival.licence, "size": installed_mebibytes(rival.package)}
            yield measure(split, name, partial(refine_all, refine=partial(in_band, decide=rival.decide)), **costs)
    if model and OURS.strip() in methods:
        file = model_file(model)
        costs = {"package": "onnxruntime", "licence": "Apache-2.0; weights for research", "size": file.stat().st_size / 2**20}
        name, sha256 = OURS + Path(model).stem, sha256_of(file)
        yield measure(split, name, partial(by_model, model=model), every=True, sha256=sha256, **costs)


def run(args: argparse.Namespace) -> None:
    split = Split.of("coarse", args.img_dir, args.ann, args.results)
    if not split.pairs:
        name = split.detections.name
        raise BPRError(f"{name}: expected detections that match the annotations (same class, IoU >= .5), got none")
    identity = {"pairs": len(split.pairs), "images": len({pair.image_id for pair in split.pairs}), "before": means(split.coarse)}
    rows = {row["name"]: row for row in earlier_report(args.out, identity).get("methods", ())}
    packages = tuple(dict.fromkeys([*PACKAGES, *(rival.package for rival in RIVALS.values())]))
    for row in rows_of(split, args.methods, args.model):
        rows[row["name"]] = row
        report = {**identity, "band": BAND, "methods": list(rows.values()), "provenance": provenance(packages)}
        write_json(args.out, report, indent=1)
    write_report(args.out, report, table(report))


def main(argv: Sequence[str] | None = None) -> int:
    parser = script_parser(__doc__)
    parser.add_argument("results", type=Path, help="COCO results JSON of a detector")
    parser.add_argument("--ann", type=Path, required=True, help="COCO annotation file with the ground truth")
    parser.add_argument("--img-dir", type=Path, required=True, help="folder of the images")
    parser.add_argument("--model", help="the name of a model of ours, or a .onnx file: one more row")
    every = [STEP_NAME, *RIVALS, OURS.strip()]
    parser.add_argument("--methods", nargs="+", choices=every, default=every, help="rows to measure (default: all)")
    parser.add_argument("--out", type=Path, required=True, help="the numbers; the table goes beside them (.md)")
    return run_script(parser, run, argv)


if __name__ == "__main__":
    sys.exit(main())
