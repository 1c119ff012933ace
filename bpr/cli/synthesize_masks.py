"""``bpr synthesize-masks``: ground truth -> detector-like coarse masks, so that training needs no detector."""

from __future__ import annotations

import argparse

from bpr.cli.options import positive

HELP = "make detector-like coarse masks from ground truth"
WAYS = ("mixed", "prototype", "mask_head", "stride", "polygon")
"""Those of bpr.datasets.synthetic_masks, named here so that --help does not load it."""
EXAMPLE = "bpr synthesize-masks instances.json --copies 4 --out synthetic.segm.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ann", help="COCO annotation file")
    parser.add_argument("--out", required=True, help="COCO results JSON to write")
    parser.add_argument("--copies", type=positive, default=1, help="coarse masks per annotated instance")
    parser.add_argument("--way", choices=WAYS, default="mixed", help="how masks come out coarse (default: %(default)s, all of them)")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> int:
    from bpr.datasets.synthetic_masks import synthesize
    from bpr.formats.coco import read_annotations
    from bpr.formats.files import write_json

    records = synthesize(read_annotations(args.ann), args.copies, args.seed, args.way)
    write_json(args.out, records)
    print(f"{len(records)} coarse masks in {args.out}")
    return 0
