"""When a mask is settled: what a second and a third pass gain where only masks go on that the network was unsure of.

    python benchmarks/settling.py [MODEL] [--out docs/results/settling_MODEL.json]

On the tenth of the training data that was kept apart (data/starter, benchmarks/hold_out.py): ``settled`` is chosen here, and
the validation splits are not asked. All three passes refine every matched pair once; a row of the table then takes, for
every pair, the mask of the pass that it would have stopped at.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # benchmarks/ is part of the checkout, not of the package

from benchmarks.quality import PACKAGES
from bpr.backends import load_predictor
from bpr.cli.options import versions_of
from bpr.evaluation.inputs import check_annotations, check_detections
from bpr.evaluation.matched_pairs import PairScores, match_pairs, score_masks, shares
from bpr.formats.coco import read_annotations, read_results
from bpr.formats.files import atomic_open, write_json
from bpr.formats.images import ImageFolder, read_image
from bpr.formats.rle import decode_mask
from bpr.geometry.masks import BoxMask
from bpr.geometry.reassembly import unsureness
from bpr.refinement.predictor import Instance
from bpr.refinement.refiner import Refiner

HELD_OUT = {"DAVIS": "davis", "crisp photographs": "crisp", "COCO": "coco"}
FOLDER = Path("data/starter")
PASSES = 3
SETTLED = (0, 12, 16, 18, 20, 22, 24, 28, 32)


@dataclass(frozen=True, eq=False)
class Walk:
    """N matched pairs through all passes: scores of the coarse masks and after every pass, (PASSES, N) unsureness and patches."""

    scores: Sequence[PairScores]
    unsure: np.ndarray
    patches: np.ndarray

    def stopped(self, settled: float, passes: int) -> np.ndarray:
        """(N,) the pass that every pair stops after."""
        going = np.cumprod(self.unsure[: passes - 1] >= settled, axis=0).astype(int)
        return 1 + going.sum(axis=0)

    def row(self, settled: float, passes: int) -> dict[str, Any]:
        """Mean gains, the share of clearly harmed pairs, and patches as multiples of those of one pass."""
        last = self.stopped(settled, passes)
        f, iou = (self._gains(name, last) for name in ("boundary_f", "iou"))
        spent = sum(int(self.patches[at][last > at].sum()) for at in range(passes))
        harmed = shares(iou).harmed_clearly
        return {"f": float(f.mean()), "iou": float(iou.mean()), "harmed_clearly": harmed, "patches": spent / int(self.patches[0].sum())}

    def _gains(self, name: str, last: np.ndarray) -> np.ndarray:
        values = np.array([getattr(score, name) for score in self.scores])
        return values[last, np.arange(len(last))] - values[0]


def walk(refiner: Refiner, name: str) -> Walk:
    """Every matched pair of a held-out set through all passes."""
    files = [FOLDER / f"{name}_choose.{kind}.json" for kind in ("instances", "segm")]
    document = check_annotations(read_annotations(files[0]), str(files[0]))
    records = check_detections(read_results(files[1]), document, str(files[1])).records
    images, pairs = ImageFolder(FOLDER / "images" / name, document["images"]), match_pairs(records, document)
    masks, unsure, patches = [[decode_mask(records[pair.record]["segmentation"]) for pair in pairs]], [], []
    for _ in range(PASSES):
        steps = [step(refiner, read_image(images.path(pair.image_id)), mask) for pair, mask in zip(pairs, masks[-1], strict=True)]
        refined, doubts, counts = zip(*steps, strict=True)
        masks.append(list(refined))
        unsure.append(doubts)
        patches.append(counts)
    return Walk([score_masks(side, pairs) for side in masks], np.array(unsure), np.array(patches))


def step(refiner: Refiner, image: np.ndarray, mask: BoxMask) -> tuple[BoxMask, float, int]:
    """A mask after one pass, how unsure the network was of it, and its patches."""
    (predicted,) = refiner.predict([refiner.cut(image, [Instance(mask)])])
    boxes, scheme = predicted.cut.batch.boxes, refiner.predictor.scheme
    return refiner.put_back(predicted)[0], unsureness(mask, boxes, predicted.probabilities, scheme), len(boxes)


def measure(model: str) -> dict[str, Any]:
    refiner = Refiner(load_predictor(model, passes=1))
    walks = {label: walk(refiner, name) for label, name in HELD_OUT.items()}
    asked = [(1, 0.0), *((passes, float(settled)) for passes in range(2, PASSES + 1) for settled in SETTLED)]
    rows = [
        {"passes": passes, "settled": settled, "sets": {label: own.row(settled, passes) for label, own in walks.items()}}
        for passes, settled in asked
    ]
    pairs = {label: len(own.unsure[0]) for label, own in walks.items()}
    return {"model": model, "pairs": pairs, "rows": rows, "date": time.strftime("%Y-%m-%d"), "versions": versions_of(PACKAGES)}


def markdown(report: dict[str, Any]) -> str:
    head = ["passes", "settled", *(f"{label}: F@2px / IoU; harmed; patches" for label in report["pairs"])]
    lines = [head, ["---"] * len(head), *(_cells(row) for row in report["rows"])]
    counts = ", ".join(f"{label} {count}" for label, count in report["pairs"].items())
    note = f"`{report['model']}`; matched pairs: {counts}. Points gained; pairs that lost more than one; patches, one pass = 1."
    return "\n".join([note, "", *(f"| {' | '.join(line)} |" for line in lines)]) + "\n"


def _cells(row: dict[str, Any]) -> list[str]:
    sets = row["sets"].values()
    gains = [f"{100 * s['f']:+.2f} / {100 * s['iou']:+.2f}; {100 * s['harmed_clearly']:.1f} %; {s['patches']:.2f}" for s in sets]
    return [str(row["passes"]), f"{row['settled']:g}" if row["passes"] > 1 else "", *gains]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="starter", help="model name or file (default: %(default)s)")
    parser.add_argument("--out", type=Path, metavar="JSON")
    args = parser.parse_args()
    report = measure(args.model)
    out = args.out or Path(f"docs/results/settling_{Path(args.model).stem}.json")
    write_json(out, report, indent=1)
    with atomic_open(out.with_suffix(".md")) as file:
        file.write(markdown(report))
    print(markdown(report), end="")


if __name__ == "__main__":
    main()
