"""``bpr synthesize-masks``: ground truth -> detector-like coarse masks, so that training needs no detector."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bpr.cli.numbers import at_least
from bpr.cli.options import print_problems

if TYPE_CHECKING:
    from bpr.formats.coco import Record


HELP = "make detector-like coarse masks from ground truth"
WAYS = ("mixed", "prototype", "mask_head", "stride", "polygon")
"""Those of bpr.training.data.synthetic_masks, named here so that --help does not load it."""
EXAMPLE = "bpr synthesize-masks instances.json --copies 4 --out synthetic.segm.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ann", help="COCO annotation file")
    parser.add_argument("--out", required=True, help="COCO results JSON to write")
    parser.add_argument("--copies", type=at_least(1), default=1, help="coarse masks per annotated instance")
    parser.add_argument("--way", choices=WAYS, default="mixed", help="how masks come out coarse (default: %(default)s, all of them)")
    parser.add_argument("--seed", type=at_least(0), default=0)


def run(args: argparse.Namespace) -> int:
    from bpr.evaluation.prepare import prepare_annotations, unlisted
    from bpr.formats.coco import read_annotations
    from bpr.io.files import check_writable, write_json
    from bpr.training.data.synthetic_masks import synthesize

    check_writable(args.out)
    document = read_annotations(args.ann)
    checked = prepare_annotations(document, args.ann)
    records = synthesize(checked, args.copies, args.seed, args.way)
    write_json(args.out, records)
    print_problems(unlisted(document["annotations"], document, "annotations"))
    print(f"{len(records)} coarse masks{_left_out(checked['annotations'], len(records) // args.copies)} in {args.out}")
    return 0


def _left_out(annotations: Sequence[Record], used: int) -> str:
    """What no coarse mask is made of, in brackets: crowds and empty masks."""
    crowds = sum(bool(annotation["iscrowd"]) for annotation in annotations)
    counts = {"crowds": crowds, "empty masks": len(annotations) - crowds - used}
    said = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    return f" ({said} left out)" if said else ""
