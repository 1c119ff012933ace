"""``bpr report``: write a folder of HTML pages that show what refinement changed."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bpr.cli.options import print_problems, progress_bar
from bpr.cli.paths import InputPath, OutputPath
from bpr.errors import amount

if TYPE_CHECKING:
    from bpr.evaluation.prepare import Detections, Document
    from bpr.io.image_finder import ImageFinder
    from bpr.report.html.collect import Collection

EXAMPLE = "bpr report refined.segm.json --before results.segm.json --ann instances.json --img-dir images --out report"

MOST_SHOWN = 2000
"""The page shows at most this many masks, those that changed most; tables and plots include all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from bpr.formats.registry import FORMATS

    add = parser.add_argument
    add("results", type=InputPath, help="the refined masks: a JSON or XML file, a PNG or a folder of any format")
    add("--before", type=InputPath, metavar="COARSE", required=True, help="the masks before refinement")
    add("--format", choices=FORMATS, help="format of both inputs (default: recognised by content)")
    images = "folder of the images, or the one image (default: the images that the format names)"
    add("--img-dir", type=InputPath, help=images)
    ann = "ground truth: COCO annotations or a gtFine folder; without it the report shows changes, not gains"
    add("--ann", type=InputPath, help=ann)
    add("--out", type=OutputPath, default="report", help="folder to write (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    from bpr.formats.coco import read_annotations
    from bpr.io.folders import check_replaceable
    from bpr.refinement.pipeline import DEFAULT_WORKERS
    from bpr.report.html.write import check_installed, write_report

    check_installed()
    check_replaceable(Path(args.out), "bpr report")
    document = read_annotations(args.ann) if args.ann else None
    collection, images = _collect(args, document)
    files = {"after": args.results, "before": args.before} | ({"truth": args.ann} if collection.comparison else {})
    names = {role: Path(path).name for role, path in files.items()}
    count, shown = len(collection.instances), min(MOST_SHOWN, len(collection.instances))
    changed = sum(not instance.coarse.equals(instance.refined) for instance in collection.instances)
    with progress_bar("cropping", shown) as advance:
        problems = write_report(collection, images, args.out, names, MOST_SHOWN, DEFAULT_WORKERS, advance)
    print_problems([*collection.problems, *problems])
    found = amount(count, "matched pair") if collection.comparison else amount(count, "mask")
    unknown = "" if collection.comparison else " (no ground truth: changes, not gains)"
    of_records = f"{found} of {amount(collection.records, 'record')}, {changed} changed{unknown}"
    print(f"{of_records}, {shown} shown -> {Path(args.out) / 'index.html'}")
    return 0


def _collect(args: argparse.Namespace, document: Document | None) -> tuple[Collection, ImageFinder]:
    """The content of the report, and its images."""
    from bpr.evaluation.comparison import PROTOCOLS, category_names
    from bpr.evaluation.prepare import Detections
    from bpr.formats.coco import is_crowd
    from bpr.formats.recognise import open_source
    from bpr.refinement.decisions import Review
    from bpr.report.html.collect import collect_changes, collect_pairs

    entries = document["images"] if document else None
    before, find_images = open_source(args.before, args.format, args.img_dir, entries, crowds=True)
    after, _ = open_source(args.results, args.format, args.img_dir, entries, crowds=True)
    review = Review.of(before, after, {"before": Path(args.before).name, "after": Path(args.results).name})
    coarse, refined = Detections([*before.records], args.before), Detections([*after.records], args.results)
    if before.format == after.format == "annotations" and len(coarse.records) == len(refined.records):
        pairs = enumerate(zip(coarse.records, refined.records, strict=True))
        # A report does not show the crowds of both files that were left as they were.
        seen = [
            index
            for index, (old, new) in pairs
            if old["segmentation"] != new["segmentation"] or not is_crowd(old, "annotation")
        ]
        coarse, refined = (replace(side, records=[side.records[index] for index in seen]) for side in (coarse, refined))
        review = review and replace(review, ids=[review.ids[index] for index in seen])
    categories = (document or {}).get("categories") or after.categories or before.categories or []
    if document and document["annotations"]:
        protocol = PROTOCOLS["cityscapes" if args.ann and Path(args.ann).is_dir() else "coco"]
        known = {**document, "categories": categories}
        coarse, refined = _scored(coarse, before.format), _scored(refined, after.format)
        return replace(collect_pairs(coarse, refined, known, args.ann, protocol), review=review), find_images()
    images = find_images()
    return replace(collect_changes(coarse, refined, images, category_names(categories)), review=review), images


def _scored(detections: Detections, format_name: str) -> Detections:
    """If the format allows records without a score, those get the score CERTAIN, as matching needs one."""
    from bpr.formats.coco import certain
    from bpr.formats.registry import FORMATS

    allowed = FORMATS[format_name].certain_without_score
    return replace(detections, records=[*map(certain, detections.records)]) if allowed else detections
