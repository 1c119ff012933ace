"""``bpr report``: what a refinement changed, as a folder of HTML that a browser opens."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bpr.cli.numbers import at_least
from bpr.cli.options import add_workers, print_problems, progress_bar

if TYPE_CHECKING:
    from bpr.evaluation.inputs import Document
    from bpr.formats.coco import Record
    from bpr.formats.source import Source
    from bpr.io.images import ImageFinder
    from bpr.report.html.collect import Collection

HELP = "write an HTML report of what refining changed: numbers, plots, every mask before and after"
EXAMPLE = "bpr report refined.segm.json --before results.segm.json --ann instances.json --img-dir images --out report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from bpr.formats.registry import FORMATS

    parser.add_argument("results", help="the refined masks: a JSON file, a PNG or a folder of any format")
    parser.add_argument("--before", metavar="COARSE", required=True, help="the masks that were refined")
    parser.add_argument("--format", choices=FORMATS, help="format of both (default: what their content says)")
    parser.add_argument("--img-dir", help="folder of the images, or the one image (default: what the format names)")
    parser.add_argument("--ann", help="COCO annotation file with the ground truth; without it the report cannot say better or worse")
    parser.add_argument("--out", default="report", help="folder to write (default: %(default)s)")
    parser.add_argument("--most", type=at_least(1), default=2000, metavar="N", help="the N masks that changed most (default: %(default)s)")
    add_workers(parser)


def run(args: argparse.Namespace) -> int:
    from bpr.formats.coco import read_annotations
    from bpr.io.folders import check_replaceable
    from bpr.report.html.write import check_installed, write_report

    check_installed()
    check_replaceable(Path(args.out), "bpr report")
    document = read_annotations(args.ann) if args.ann else None
    collection, images = _collect(args, document)
    files = {"after": args.results, "before": args.before} | ({"truth": args.ann} if collection.comparison else {})
    names = {role: Path(path).name for role, path in files.items()}
    with progress_bar("cutting", min(args.most, len(collection.instances))) as advance:
        problems = write_report(collection, images, args.out, names, args.most, args.workers, advance)
    _print(collection, problems, args)
    return 0


def _collect(args: argparse.Namespace, document: Document | None) -> tuple[Collection, ImageFinder]:
    """The instances, and how to come to their images."""
    from bpr.evaluation.inputs import Detections, image_frames
    from bpr.formats.recognise import open_source
    from bpr.report.html.collect import collect_changes, collect_pairs

    entries = document["images"] if document else None
    before, find_images = open_source(args.before, args.format, args.img_dir, entries)
    after, _ = open_source(args.results, args.format, args.img_dir, entries)
    sides = Detections(_scored(before), args.before), Detections(_scored(after), args.results)
    if document and document["annotations"]:
        return collect_pairs(*sides, document, args.ann), find_images()
    named = (category for category in (document or {}).get("categories", []) if {"id", "name"} <= category.keys())
    sized = [entry for entry in before.entries or entries or [] if {"height", "width"} <= entry.keys()]
    names = {category["id"]: str(category["name"]) for category in named}
    return collect_changes(*sides, image_frames({"images": sized}), names), find_images()


def _scored(source: Source) -> list[Record]:
    """The records; in a format that allows records without a score, these are certain."""
    from bpr.formats.convert import CERTAIN
    from bpr.formats.registry import FORMATS

    certain = FORMATS[source.format].certain_without_score
    return [{"score": CERTAIN, **record} if certain else record for record in source.records]


def _print(collection: Collection, problems: list[str], args: argparse.Namespace) -> None:
    """What could not be read, and last where the report lies."""
    print_problems([*collection.problems, *problems])
    count, shown = len(collection.instances), min(args.most, len(collection.instances))
    what = "matched pairs" if collection.comparison else "masks (no ground truth: changes, not gains)"
    print(f"{count} {what} of {collection.records} records, {shown} shown -> {Path(args.out) / 'index.html'}")
