"""Is the harm real? Masks that lose over a point of IoU, sorted by whose outline the image supports.

    python -m benchmarks.studies.harm DATA MODEL [--sets NAME ...] [--makers NAME ...] [--images N] [--sheet FOLDER]

Sets and makers are those of `sources.py`; a set with a real detector is measured on that detector's masks unless
--makers names others. Of all masks that lose more than a point, at most 100 are drawn by a seed and sorted by this rule:

1. The disputed parts are the pixels of the outline of the ground truth, and of that of the refined mask, that lie over
   1 px from the other outline.
2. The distance of such a pixel to the image edge: along the normal of its outline, up to 4 px to either side, to the
   place where the colour (Lab, smoothed by 1 px) changes most across the outline.
3. "truth off the edge" if the mean distance of the truth is over .5 px more than that of the refined mask, "real harm" if
   it is over .5 px less, else, or if either disputed part has fewer than 10 pixels, "undecidable".

The image knows edges, not objects: a mask that took the wrong edge looks well supported. So the rule is run where the
truth is drawn pixel by pixel as well (DAVIS, the crisp tenth): there "truth off the edge" is mostly an error of the rule.
On those sets it is also shown outlines that are wrong for sure, a maker's masks taken for the truth with the exact mask
beside them: the share that it finds is its sensitivity.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

import bpr
from benchmarks.measuring import RESULTS, markdown_table, script_parser, write_report
from benchmarks.studies.source_makers import MAKERS, made
from benchmarks.studies.sources import REAL, SETS, Images, refined_pairs
from bpr.backends import model_file
from bpr.evaluation.boundary_metrics import boundary_map, overlap
from bpr.evaluation.comparison import CLEARLY
from bpr.geometry.boxes import enclosing, grow
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask
from bpr.io.files import sha256_of
from bpr.io.images import read_image
from bpr.refinement.refiner import Refiner
from bpr.report import draw

SEED, SAMPLE = 0, 100
REACH, APART, LEAST_PIXELS, MARGIN = 4, 1.0, 10, 0.5
"""Of the rule above, in pixels."""
OFF_EDGE, REAL_HARM, UNDECIDABLE = "truth off the edge", "real harm", "undecidable"
EXACT = ("davis_val", "crisp")
WRONG_OUTLINES = "clicks"
"""The maker whose outlines stand for a careless annotator's when the sensitivity is measured."""
SHEET, TILE = 24, 240
"""Masks on a contact sheet, and the side in pixels of each."""


class Case(NamedTuple):
    """A mask that lost over a point of IoU."""

    image_id: Any
    maker: str
    coarse: BoxMask
    refined: BoxMask
    truth: BoxMask
    lost: float


def outline_distance(outlined: np.ndarray, disputed: np.ndarray, gradient: np.ndarray) -> float:
    """The mean distance in pixels of ``disputed`` outline pixels to the strongest edge along their normals.

    Args:
        outlined: (h, w) bool, the mask.
        disputed: (h, w) bool, pixels of its outline.
        gradient: (h, w, 2, 3), change of the three colours along x and along y.
    """
    smooth = cv2.GaussianBlur(outlined.astype(np.float32), (0, 0), 2)
    slopes = np.stack([cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)], axis=-1)
    rows, columns = np.nonzero(disputed)
    normals = slopes[rows, columns] / (np.linalg.norm(slopes[rows, columns], axis=1, keepdims=True) + 1e-6)
    steps = np.arange(-REACH, REACH + 1)
    x, y = (place[:, None] + steps * normals[:, [axis]] for axis, place in enumerate((columns, rows)))
    rounded = np.clip(np.rint(y), 0, len(outlined) - 1).astype(int), np.clip(np.rint(x), 0, outlined.shape[1] - 1).astype(int)
    across = np.einsum("nsac,na->nsc", gradient[rounded], normals)
    return float(np.abs(steps[np.square(across).sum(axis=2).argmax(axis=1)]).mean())


def closer_to_edges(image: np.ndarray, truth: BoxMask, refined: BoxMask) -> float | None:
    """How many pixels closer to the image's edges ``refined`` lies than ``truth``; None where too little is disputed."""
    left, top, right, bottom = box = grow(enclosing(np.array([truth.box, refined.box])), 3 * REACH, truth.frame)
    masks = [mask.window(box) for mask in (truth, refined)]
    outlines = [boundary_map(mask) for mask in masks]
    away = [cv2.distanceTransform((~outline).astype(np.uint8), cv2.DIST_L2, 5) > APART for outline in outlines]
    disputed = outlines[0] & away[1], outlines[1] & away[0]
    if min(part.sum() for part in disputed) < LEAST_PIXELS:
        return None
    colour = cv2.cvtColor(np.ascontiguousarray(image[top:bottom, left:right]), cv2.COLOR_RGB2LAB).astype(np.float32)
    colour = cv2.GaussianBlur(colour, (0, 0), 1)
    gradient = np.stack([cv2.Sobel(colour, cv2.CV_32F, 1, 0), cv2.Sobel(colour, cv2.CV_32F, 0, 1)], axis=2)
    distances = (outline_distance(mask, part, gradient) for mask, part in zip(masks, disputed, strict=True))
    return next(distances) - next(distances)


def sort_of(closer: float | None) -> str:
    """What the rule says of a mask whose outline lies so many pixels closer to the image's edges than the truth's.

    >>> [sort_of(closer) for closer in (0.6, -0.6, 0.5, None)]
    ['truth off the edge', 'real harm', 'undecidable', 'undecidable']
    """
    if closer is None or abs(closer) <= MARGIN:
        return UNDECIDABLE
    return OFF_EDGE if closer > 0 else REAL_HARM


def harmed(refiner: Refiner, images: Images, makers: Sequence[str]) -> tuple[int, list[Case]]:
    """The number of masks of all makers, and those that lost over a point."""
    masks, cases = 0, []
    for maker in makers:
        for pair, refined in refined_pairs(refiner, images, images.pairs(maker)):
            truth = decode_mask(pair.truth["segmentation"])
            lost = overlap(pair.coarse, truth).iou - overlap(refined, truth).iou
            masks += 1
            if lost > CLEARLY:
                cases.append(Case(pair.image_id, maker, pair.coarse, refined, truth, lost))
    return masks, cases


def sensitivity(images: Images) -> dict[str, Any]:
    """What the rule says of outlines that are wrong for sure, each beside the exact mask of a set of ``EXACT``."""
    read = lru_cache(1)(lambda image_id: read_image(images.paths[image_id]))
    sorts: Counter[str] = Counter()
    for annotation in images.document["annotations"]:
        exact = decode_mask(annotation["segmentation"])
        wrong = made(WRONG_OUTLINES, exact, int(annotation["id"])) if exact.area else exact
        if wrong.area and overlap(wrong, exact).iou < 1 - CLEARLY:
            sorts[sort_of(closer_to_edges(read(annotation["image_id"]), wrong, exact))] += 1
    return {"outlines": sorts.total(), "sorts": dict(sorts)}


def study(refiner: Refiner, images: Images, makers: Sequence[str], sheet: Path | None) -> dict[str, Any]:
    """The numbers of one set; its contact sheet goes to the file ``sheet``."""
    masks, cases = harmed(refiner, images, makers)
    places = np.random.default_rng(SEED).permutation(len(cases))[:SAMPLE]
    sample = [cases[place] for place in places]
    closer = [closer_to_edges(read_image(images.paths[case.image_id]), case.truth, case.refined) for case in sample]
    sorts = [sort_of(value) for value in closer]
    if sheet and sample:
        draw.write_image(sheet, contact_sheet(images, sample[:SHEET], sorts))
    counts = Counter(sorts)
    rows = {}
    for name in (OFF_EDGE, REAL_HARM, UNDECIDABLE):
        lost = [case.lost for case, sort in zip(sample, sorts, strict=True) if sort == name]
        rows[name] = {"masks": counts[name], "lost": float(np.mean(lost)) if lost else None}
    chosen = [
        {"image": case.image_id, "maker": case.maker, "lost": case.lost, "closer": value, "sort": sort}
        for case, value, sort in zip(sample, closer, sorts, strict=True)
    ]
    numbers = {"masks": masks, "harmed": len(cases), "sampled": len(sample), "sorts": rows}
    return {**numbers, "cases": chosen}


def contact_sheet(images: Images, cases: Sequence[Case], sorts: Sequence[str]) -> np.ndarray:
    """(h, w, 3) uint8 RGB: the place of every mask that changed most; six in a row."""
    tiles = []
    for number, (case, sort) in enumerate(zip(cases, sorts, strict=False)):
        coarse, refined, truth = (mask.to_frame()[None] for mask in (case.coarse, case.refined, case.truth))
        side = TILE // draw.ZOOM
        place = draw.changed_places(refined, truth, (side, side), 1)[0]
        window = (slice(place[0], place[0] + side), slice(place[1], place[1] + side))
        part = read_image(images.paths[case.image_id])[window]
        tile = draw.blank(TILE + draw.HEADER, TILE)
        large = np.repeat(np.repeat(part, draw.ZOOM, axis=0), draw.ZOOM, axis=1)
        for mask, colour in ((coarse, draw.COARSE), (truth, draw.TRUTH), (refined, draw.REFINED)):
            draw.draw_contour(large, mask[0][window], colour, 1, draw.ZOOM)
        draw.write_line(tile, f"{number} {sort}", 0)
        tile[draw.HEADER : draw.HEADER + len(large), : large.shape[1]] = large
        tiles.append(tile)
    tiles += [draw.blank(TILE + draw.HEADER, TILE)] * (-len(tiles) % 6)
    rows = [draw.side_by_side(tiles[start : start + 6]) for start in range(0, len(tiles), 6)]
    return draw.framed(np.concatenate([draw.legend(rows[0].shape[1]), *rows]))


def table(reports: Sequence[dict[str, Any]]) -> str:
    """One row per set; shares are of the masks that were sorted."""
    head = ["set", "coarse masks", "masks", "lost over a point", "sorted", OFF_EDGE, REAL_HARM, UNDECIDABLE, "wrong outlines found"]
    return markdown_table(head, map(_row, reports), left=2)


def _row(found: dict[str, Any]) -> list[str]:
    wrong, count = found["wrong_outlines"], found["sampled"]
    shares = [f"{100 * row['masks'] / count:.0f} %" if count else "" for row in found["sorts"].values()]
    harm = f"{found['harmed']} ({100 * found['harmed'] / found['masks']:.1f} %)"
    control = f"{100 * wrong['sorts'].get(OFF_EDGE, 0) / wrong['outlines']:.0f} % of {wrong['outlines']}" if wrong else ""
    makers = found["makers"][0] if len(found["makers"]) == 1 else f"{len(found['makers'])} makers"
    return [SETS[found["set"]].name, makers, str(found["masks"]), harm, str(count), *shares, control]


def main(words: Sequence[str] | None = None) -> int:
    parser = script_parser(__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", help="the name of a model, or a .onnx file")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--makers", nargs="+", choices=[REAL, *MAKERS], help="default: the real detector, or all if there is none")
    parser.add_argument("--images", type=int, help="at most so many images of every set, evenly spread")
    parser.add_argument("--sheet", type=Path, help="folder for a contact sheet of every set; the photographs are other people's")
    parser.add_argument("--out", type=Path, default=RESULTS / "harm", help="folder (default: %(default)s)")
    args = parser.parse_args(words)
    refiner = bpr.load(args.model, threads=1)
    identity = {"model": Path(args.model).stem, "sha256": sha256_of(model_file(args.model)), "seed": SEED}
    for key in args.sets:
        images = Images(args.data, SETS[key], args.images)
        makers = args.makers or ([REAL] if images.detections else images.makers())
        name = f"{key}.makers" if args.makers else key
        sheet = args.sheet / f"{name}.jpg" if args.sheet else None
        found = {"makers": makers, "images": len(images.paths), **study(refiner, images, makers, sheet)}
        found["wrong_outlines"] = sensitivity(images) if key in EXACT else None
        made_by = {"date": time.strftime("%Y-%m-%d"), "version": bpr.__version__}
        report = {"set": key, **identity, **made_by, **found}
        write_report(args.out / f"{name}.json", report, f"{table([report])}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
