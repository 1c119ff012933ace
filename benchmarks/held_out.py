"""What models gain on the tenth of the training data that was kept apart (data/starter, benchmarks/hold_out.py): what to choose by.

    python benchmarks/held_out.py [MODEL ...] [--schemes]

One pass of every matched pair, patches averaged evenly; with --schemes also with what else a scheme offers: patches whose middle
counts more, caution, a second and a third look. The validation splits are not asked. One file per model in docs/results/held_out.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # benchmarks/ is part of the checkout, not of the package

from benchmarks.quality import PACKAGES, Split
from bpr.backends import load_predictor
from bpr.cli.options import versions_of
from bpr.io.files import write_json

SETS = {"DAVIS": "davis", "crisp photographs": "crisp", "COCO": "coco"}
FOLDER, RESULTS = Path("data/starter"), Path("docs/results/held_out")
PLAIN = {"blend": "mean", "caution": 0, "passes": 1, "withdrawn": 0}
CENTRED = {**PLAIN, "blend": "centred"}
AGAIN = [(2, 0), (2, 2), (2, 3), (2, 4), (2, 5), (2, 6), (2, 8), (3, 4)]
CAUTIONS = (0.05, 0.1, 0.2)
SCHEMES = [
    *(PLAIN, CENTRED),
    *({**CENTRED, "caution": caution} for caution in CAUTIONS),
    *({**CENTRED, "passes": passes, "withdrawn": px} for passes, px in AGAIN),
]


def read(name: str) -> Split:
    """The matched pairs of a set that no training saw."""
    return Split.of(FOLDER, name, f"images/{name}", f"{name}_choose.instances.json", f"{name}_choose.segm.json")


def measure(model: str, splits: dict[str, Split], schemes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One row for every scheme; patches as multiples of those of the first."""
    rows, once = [], {}
    for options in schemes:
        predictor, cells = load_predictor(model, **options), {}
        for label, split in splits.items():
            found = split.measure(model, predictor, precision=False)
            f, iou = (found["rows"][f"{name}/matched"]["change"] for name in ("F@2px", "IoU"))
            patches = found["patches"] / once.setdefault(label, found["patches"])
            cells[label] = {"f": f, "iou": iou, "harmed_clearly": found["shares"]["harmed_clearly"], "patches": patches}
        rows.append({**options, "sets": cells})
        print(model, options, {label: {name: f"{value:.4f}" for name, value in cell.items()} for label, cell in cells.items()}, flush=True)
    pairs = {label: len(split.coarse.pairs) for label, split in splits.items()}
    return {"model": Path(model).stem, "pairs": pairs, "rows": rows, "date": time.strftime("%Y-%m-%d"), "versions": versions_of(PACKAGES)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["starter"])
    parser.add_argument("--schemes", action="store_true", help="also other blends, caution and more passes")
    args = parser.parse_args()
    splits = {label: read(name) for label, name in SETS.items()}
    for model in args.models:
        write_json(RESULTS / f"{Path(model).stem}.json", measure(model, splits, SCHEMES if args.schemes else [PLAIN]), indent=1)


if __name__ == "__main__":
    main()
