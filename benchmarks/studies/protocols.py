"""Coarse masks of published protocols, made from ground truth: initial masks of interactive segmentation, annotation noise.

    python -m benchmarks.studies.protocols defects ANN --img-dir IMAGES --out initial.segm.json
    python -m benchmarks.studies.protocols noise ANN --level hard --out noisy.json
    python -m benchmarks.studies.protocols big BIG/test --out big
    python -m benchmarks.studies.protocols measure DATA --out docs/results/protocols.json [--images N]

``defects`` makes masks as DAVIS-585 describes them (FocalClick, CVPR 2022), ``noise`` an annotation file as COCO-N does
(class-preserving), both by our own code. ``big`` sorts the files of BIG into folders that bpr reads. ``measure`` refines
the first two on DAVIS val. docs/reproduce.md has the commands that follow.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from skimage.segmentation import slic

from benchmarks.inputs import VAL, Split, means, on_images
from benchmarks.measuring import dated_versions, markdown_table, script_parser, write_report
from bpr.backends import load_refiner
from bpr.cli.main import run_script
from bpr.errors import BPRError
from bpr.evaluation.boundary_metrics import disk, overlap
from bpr.evaluation.comparison import Comparison
from bpr.evaluation.prepare import prepare_annotations, prepare_detections
from bpr.formats.coco import Record, read_annotations
from bpr.geometry.boxes import grow
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, encode_mask
from bpr.io.files import write_json
from bpr.io.image_finder import ImageFolder
from bpr.io.image_list import spread
from bpr.io.images import read_image
from bpr.refinement.refiner import Refiner
from bpr.refinement.runner import refine_records

LOWEST, HIGHEST = 0.75, 0.85
"""The IoU of an initial mask with its object."""
SEGMENTS = 40
"""Superpixels in an area like the object's."""
MARGIN = 24
PARTS = {"_im.jpg": "im", "_gt.png": "gt", "_seg.png": "seg"}
"""Ends of the names of BIG's files, and the folders that they go to."""


@dataclass(frozen=True)
class Level:
    """How strong the noise is. Each kind hits this share of the objects, and an object has one kind at most.

    Attributes:
        step: pixels by which a mask grows or shrinks.
        jitter: standard deviation in pixels by which corners are off.
        tolerance: pixels between the outline and a simplified polygon.
    """

    share: float
    step: int
    jitter: float
    tolerance: float


LEVELS = {
    "easy": Level(0.20, 1, 2.0, 5.0),
    "medium": Level(0.25, 2, 3.0, 10.0),
    "hard": Level(0.30, 3, 4.0, 15.0),
}


def with_defects(truth: BoxMask, image: np.ndarray, seed: int) -> BoxMask:
    """An initial mask: superpixels are added outside, taken away inside, and settled wrongly at the boundary, at random,
    until the IoU has fallen to one drawn from LOWEST .. HIGHEST.

    Args:
        image: (H, W, 3) uint8 RGB.
    """
    rng = np.random.default_rng(seed)
    side = int(np.sqrt(truth.area))
    x0, y0, x1, y1 = box = grow(truth.box, max(side // 2, 4), truth.frame)
    true = truth.window(box)
    count = max(2, round(SEGMENTS * true.size / truth.area))
    labels = slic(image[y0:y1, x0:x1], n_segments=count, compactness=20, sigma=1, start_label=0, channel_axis=-1)
    near = cv2.dilate(true.astype(np.uint8), disk(max(side // 4, 2))) > 0
    target, mask = rng.uniform(LOWEST, HIGHEST), true.copy()
    for label in rng.permutation(int(labels.max()) + 1):
        place = labels == label
        share = float(true[place].mean())
        if not share and not near[place].any():
            continue
        wrong = mask.copy()
        wrong[place] = share == 0 or (share < 1 and bool(rng.random() < 0.5))
        iou = overlap(wrong, true).iou
        if iou >= LOWEST:
            mask = wrong
            if iou <= target:
                break
    return BoxMask(mask, x0, y0, truth.frame).trimmed()


def initial_masks(document: dict[str, Any], images: ImageFolder) -> Iterator[Record]:
    """COCO results: an initial mask for every object that is no crowd."""
    for annotation in document["annotations"]:
        truth = decode_mask(annotation["segmentation"])
        if not annotation["iscrowd"] and truth.area:
            mask = with_defects(truth, read_image(images.path(annotation["image_id"]), truth.frame), annotation["id"])
            keys = ("image_id", "category_id")
            yield {key: annotation[key] for key in keys} | {"score": 1.0, "segmentation": encode_mask(mask)}


def resized(mask: np.ndarray, level: Level, rng: np.random.Generator) -> np.ndarray:
    change = cv2.dilate if rng.random() < 0.5 else cv2.erode
    return change(mask.astype(np.uint8), disk(level.step)) > 0


def jittered(mask: np.ndarray, level: Level, rng: np.random.Generator) -> np.ndarray:
    return _drawn(mask, 1.0, lambda corners: corners + rng.normal(0, level.jitter, corners.shape))


def simplified(mask: np.ndarray, level: Level, rng: np.random.Generator) -> np.ndarray:
    return _drawn(mask, level.tolerance, lambda corners: corners)


KINDS = (resized, jittered, simplified)


def _drawn(mask: np.ndarray, tolerance: float, move: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The outlines as polygons of few corners, which ``move`` moves, filled again."""
    outlines = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)[0]
    polygons = [cv2.approxPolyDP(outline, tolerance, True)[:, 0] for outline in outlines]
    drawn = np.zeros(mask.shape, np.uint8)
    corners = [np.round(move(polygon.astype(float)) * 16).astype(np.int32) for polygon in polygons if len(polygon) > 2]
    if corners:
        cv2.fillPoly(drawn, corners, 1, shift=4)
    return drawn > 0


def noisy(truth: BoxMask, name: str, seed: int) -> BoxMask:
    """The mask with the noise of a level, or as it is; a mask that would vanish stays."""
    level, rng = LEVELS[name], np.random.default_rng([zlib.crc32(name.encode()), seed])
    kind = int(rng.random() / level.share)
    if kind >= len(KINDS):
        return truth
    box = grow(truth.box, MARGIN, truth.frame)
    mask = BoxMask(KINDS[kind](truth.window(box), level, rng), box[0], box[1], truth.frame).trimmed()
    return mask if mask.area else truth


def with_noise(document: dict[str, Any], name: str) -> dict[str, Any]:
    """A copy of prepared annotations with the noise of a level; crowds, classes and ids stay."""
    changed = []
    for annotation in document["annotations"]:
        if annotation["iscrowd"]:
            changed.append(annotation)
            continue
        mask = noisy(decode_mask(annotation["segmentation"]), name, annotation["id"])
        changed.append(annotation | {"segmentation": encode_mask(mask), "area": mask.area, "bbox": mask.bbox})
    return {**document, "annotations": changed}


def sort_big(folder: Path, out: Path) -> int:
    """Copy ``X_im.jpg``, ``X_gt.png`` and ``X_seg.png`` to ``im/X.jpg``, ``gt/X.png`` and ``seg/X.png``; return how many X."""
    stems = sorted(path.name.removesuffix("_gt.png") for path in folder.glob("*_gt.png"))
    if not stems:
        raise BPRError(f"{folder}: expected BIG's files X_im.jpg, X_gt.png and X_seg.png, got none")
    for end, name in PARTS.items():
        (out / name).mkdir(parents=True, exist_ok=True)
        for stem in stems:
            source = folder / f"{stem}{end}"
            if not source.is_file():
                raise BPRError(f"{source}: expected this file of BIG beside {stem}_gt.png, got none")
            shutil.copyfile(source, out / name / f"{stem}{Path(end).suffix}")
    return len(stems)


def measured(coarse: list[Record], document: dict[str, Any], images: ImageFolder, refiner: Refiner) -> dict[str, Any]:
    """The changes of the matched pairs, and how much of what the coarse masks lack was taken back."""
    split = Split("coarse", prepare_detections(coarse, document, "coarse"), document, images)
    refined = split.evaluation(refine_records(split.records, images, refiner)[0])
    before, after = (list(means(side).values()) for side in (split.coarse, refined))
    back = [(new - old) / (1 - old) if old < 1 else 0.0 for old, new in zip(before, after, strict=True)]
    shares = Comparison(split.coarse, refined).shares
    assert shares
    sides = {"before": before, "after": after}
    return {"pairs": len(split.pairs), **sides, "taken_back": back, "harmed_clearly": shares.harmed_clearly}


def measure(args: argparse.Namespace) -> None:
    folder, annotations, _ = VAL["davis_val"]
    document = prepare_annotations(read_annotations(args.data / annotations), "DAVIS val")
    chosen = spread(document["images"], args.images)
    document = on_images(document, chosen)
    images, refiner = ImageFolder(args.data / folder, chosen), load_refiner(args.model, threads=1)
    rows = {"initial masks, IoU .75 .. .85": measured(list(initial_masks(document, images)), document, images, refiner)}
    for name in LEVELS:
        annotated = with_noise(document, name)["annotations"]
        records = [{**item, "score": 1.0} for item in annotated if not item["iscrowd"]]
        rows[f"annotation noise, {name}"] = measured(records, document, images, refiner)
    report = {"model": args.model, "images": len(chosen), "rows": rows, **dated_versions()}
    head = ("masks", "pairs", "IoU", "boundary IoU", "F@2px", "of the lack taken back (IoU, boundary IoU, F)", "harmed > 1 point")
    cells = [
        [
            name,
            str(row["pairs"]),
            *(f"{100 * old:.1f} -> {100 * new:.1f}" for old, new in zip(row["before"], row["after"], strict=True)),
            " / ".join(f"{100 * share:.0f} %" for share in row["taken_back"]),
            f"{100 * row['harmed_clearly']:.0f} %",
        ]
        for name, row in rows.items()
    ]
    write_report(args.out, report, markdown_table(head, cells) + "\n")


def run(args: argparse.Namespace) -> None:
    if args.command == "measure":
        measure(args)
    elif args.command == "big":
        print(f"{sort_big(args.folder, args.out)} images in {args.out}/im, gt and seg")
    else:
        document = prepare_annotations(read_annotations(args.ann), str(args.ann))
        if args.command == "noise":
            write_json(args.out, with_noise(document, args.level))
        else:
            write_json(args.out, list(initial_masks(document, ImageFolder(args.img_dir, document["images"]))))


def main(argv: list[str] | None = None) -> int:
    parser = script_parser(__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("defects", "noise", "big", "measure"):
        command = commands.add_parser(name)
        place = {"big": "folder", "measure": "data"}.get(name, "ann")
        command.add_argument(place, type=Path)
        command.add_argument("--out", type=Path, required=True)
        if name == "defects":
            command.add_argument("--img-dir", type=Path, required=True)
        if name == "noise":
            command.add_argument("--level", choices=LEVELS, required=True)
        if name == "measure":
            command.add_argument("--model", default="starter")
            command.add_argument("--images", type=int, help="use this many images, evenly spread (default: all)")
    return run_script(parser, run, argv)


if __name__ == "__main__":
    sys.exit(main())
