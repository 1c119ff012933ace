"""Make coarse masks like a detector's from ground truth, so that training needs no detector.

    python tools/synthesize_masks.py instances.json --copies 4 --out synthetic.segm.json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bpr.cli.main import Parser, run_script
from bpr.cli.options import at_least, print_problems
from bpr.cli.paths import InputPath, OutputPath
from bpr.errors import amount
from bpr.training.data.synthetic_masks import WAYS


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ann", type=InputPath, help="COCO annotation file or a gtFine folder")
    parser.add_argument("--out", type=OutputPath, required=True, help="COCO results JSON to write")
    parser.add_argument("--copies", type=at_least(1), default=1, help="coarse masks per annotated instance")
    way = "how the masks are made coarse (default: %(default)s, which draws one of the others for every mask)"
    parser.add_argument("--way", choices=WAYS, default="mixed", help=way)
    parser.add_argument("--seed", type=at_least(0), default=0)
    return run_script(parser, run, argv)


def run(args: argparse.Namespace) -> None:
    from bpr.evaluation.prepare import left_out, prepare_annotations
    from bpr.formats.coco import read_annotations
    from bpr.io.files import check_writable, write_json
    from bpr.training.data.synthetic_masks import synthesize

    check_writable(args.out)
    document = read_annotations(args.ann)
    checked = prepare_annotations(document, args.ann)
    records = synthesize(checked, args.copies, args.seed, args.way)
    write_json(args.out, records)
    print_problems(left_out(document))

    # No coarse mask is made of crowds and empty masks.
    crowds = sum(annotation["iscrowd"] for annotation in checked["annotations"])
    empty = len(checked["annotations"]) - crowds - len(records) // args.copies
    counts = {"crowd": crowds, "empty mask": empty}
    missing = ", ".join(amount(count, kind) for kind, count in counts.items() if count)
    print(f"{amount(len(records), 'coarse mask')}{f' ({missing} left out)' if missing else ''} in {args.out}")


if __name__ == "__main__":
    sys.exit(main())
