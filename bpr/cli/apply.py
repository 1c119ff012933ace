"""``bpr apply``: write the masks that follow from what a person decided in the page of a report."""

from __future__ import annotations

import argparse
from pathlib import Path

from bpr.cli.options import print_problems
from bpr.cli.paths import InputPath, OutputPath
from bpr.errors import amount

EXAMPLE = "bpr apply decisions.json refined.json --before annotations.json --out final.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from bpr.formats.registry import FORMATS

    add = parser.add_argument
    add("decisions", type=InputPath, help="the decisions that the page of the report saved")
    add("results", type=InputPath, help="the refined masks that the report shows")
    add("--before", type=InputPath, metavar="COARSE", required=True, help="the masks before refinement")
    add("--out", type=OutputPath, required=True, help="file or folder to write, in the format of the masks")
    add("--format", choices=FORMATS, help="format of the masks (default: recognised by content)")
    images = "folder of the images, or the one image, for formats that need their sizes"
    add("--img-dir", type=InputPath, help=images)


def run(args: argparse.Namespace) -> int:
    from bpr.formats.recognise import open_source
    from bpr.refinement.decisions import decisions_about, read_decisions

    document = read_decisions(args.decisions)  # first, so that files in another order are not blamed on the masks
    before, after = (open_source(path, args.format, args.img_dir, crowds=True)[0] for path in (args.before, args.results))
    decisions = decisions_about(before, after, {"before": args.before, "after": args.results}, document, args.decisions)
    after.put_back(before, decisions.undo, Path(args.out))
    print_problems(after.polygons.notes)
    undone, stay = amount(len(decisions.undo), "mask"), len(after.records) - len(decisions.undo)
    print(f"{undone} put back, the other {stay} as refined ({len(decisions.keep)} marked as kept) -> {args.out}")
    return 0
