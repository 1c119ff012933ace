"""What models gain on the tenth of the training data that was kept apart (data/starter, benchmarks/hold_out.py): what to choose by.

    python benchmarks/held_out.py [MODEL ...] [--schemes]

One pass of every matched pair, patches averaged evenly; with --schemes also with what else a scheme offers: patches whose middle
counts more, a second and a third look. The validation splits are not asked. One file per model in docs/results/held_out.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # benchmarks/ is part of the checkout, not of the package

from benchmarks.quality import PACKAGES
from bpr.backends import load_predictor
from bpr.cli.options import versions_of
from bpr.evaluation.inputs import check_annotations, check_detections
from bpr.evaluation.matched_pairs import Pair, PairScores, match_pairs, score_masks, shares
from bpr.formats.coco import read_annotations, read_results
from bpr.formats.files import write_json
from bpr.formats.images import ImageFolder, read_image
from bpr.formats.rle import decode_mask
from bpr.geometry.masks import BoxMask
from bpr.refinement.predictor import Instance
from bpr.refinement.refiner import Refiner

SETS = {"DAVIS": "davis", "crisp photographs": "crisp", "COCO": "coco"}
FOLDER, RESULTS = Path("data/starter"), Path("docs/results/held_out")
PLAIN = {"blend": "mean", "passes": 1, "withdrawn": 0}
CENTRED = {**PLAIN, "blend": "centred"}
AGAIN = [(2, 0), (2, 2), (2, 3), (2, 4), (2, 5), (2, 6), (2, 8), (3, 4)]
SCHEMES = [PLAIN, CENTRED, *({**CENTRED, "passes": passes, "withdrawn": px} for passes, px in AGAIN)]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The matched pairs of a set that no training saw."""

    pairs: Sequence[Pair]
    files: Sequence[Path]
    masks: Sequence[BoxMask]
    before: PairScores

    @classmethod
    def read(cls, name: str) -> HeldOut:
        annotations, results = (FOLDER / f"{name}_choose.{kind}.json" for kind in ("instances", "segm"))
        document = check_annotations(read_annotations(annotations), str(annotations))
        records = check_detections(read_results(results), document, str(results)).records
        images, pairs = ImageFolder(FOLDER / "images" / name, document["images"]), match_pairs(records, document)
        masks = [decode_mask(records[pair.record]["segmentation"]) for pair in pairs]
        return cls(pairs, [images.path(pair.image_id) for pair in pairs], masks, score_masks(masks, pairs))

    def measure(self, refiner: Refiner) -> tuple[dict[str, float], int]:
        """Mean gains and the share of clearly harmed pairs; and how many patches it took."""
        cuts = (refiner.cut(read_image(file), [Instance(mask)]) for file, mask in zip(self.files, self.masks, strict=True))
        refined, patches = [], 0
        for predicted in refiner.predict(cuts):
            refined += refiner.put_back(predicted)
            patches += predicted.cut.patches
        after = score_masks(refined, self.pairs)
        f, iou = after.boundary_f - self.before.boundary_f, after.iou - self.before.iou
        return {"f": float(f.mean()), "iou": float(iou.mean()), "harmed_clearly": shares(iou).harmed_clearly}, patches


def measure(model: str, sets: dict[str, HeldOut], schemes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One row for every scheme; patches as multiples of those of the first."""
    rows, once = [], {}
    for options in schemes:
        refiner, cells = Refiner(load_predictor(model, **options)), {}
        for label, held_out in sets.items():
            gains, patches = held_out.measure(refiner)
            cells[label] = {**gains, "patches": patches / once.setdefault(label, patches)}
        rows.append({**options, "sets": cells})
        print(model, options, {label: {name: f"{value:.4f}" for name, value in cell.items()} for label, cell in cells.items()}, flush=True)
    pairs = {label: len(held_out.pairs) for label, held_out in sets.items()}
    return {"model": Path(model).stem, "pairs": pairs, "rows": rows, "date": time.strftime("%Y-%m-%d"), "versions": versions_of(PACKAGES)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["starter"])
    parser.add_argument("--schemes", action="store_true", help="also other blends and more passes")
    args = parser.parse_args()
    sets = {label: HeldOut.read(name) for label, name in SETS.items()}
    for model in args.models:
        write_json(RESULTS / f"{Path(model).stem}.json", measure(model, sets, SCHEMES if args.schemes else [PLAIN]), indent=1)


if __name__ == "__main__":
    main()
