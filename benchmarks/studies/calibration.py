"""Is alpha a probability? Of the pixels with an alpha near p, how many belong to the object?

    python -m benchmarks.studies.calibration data/starter

On the tenth of DAVIS train and of the crisp photographs that no model learned from, as benchmarks/training/starter_data.sh
lays it out, with the masks of a detector: pixels within 12 px of the coarse boundary, for the probability of the network (caution 0)
and for alpha under the verdict.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.inputs import Split
from benchmarks.measuring import RESULTS, dated_versions, markdown_table, script_parser, write_report
from bpr.backends import load_refiner
from bpr.evaluation.matching import grouped
from bpr.geometry.options import AUTO
from bpr.geometry.rle import decode_mask
from bpr.io.images import read_image
from bpr.refinement.refiner import Refiner
from bpr.refinement.verdict.features import REACH

NAMES = {"davis_choose": "DAVIS", "crisp_choose": "photographs"}
MODEL = "starter"
BINS = 10
PACKAGES = ("bpr", "numpy", "opencv-python-headless", "onnxruntime")


def near_pixels(split: Split, refiner: Refiner) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(N,) alpha in [0, 1] and (N,) bool truth of the pixels near the coarse boundary, for every matched pair."""
    for image_id, pairs in grouped(split.pairs, lambda pair: pair.image_id).items():
        coarse = np.stack([decode_mask(split.records[pair.record]["segmentation"]).to_frame() for pair in pairs])
        alphas = refiner(read_image(split.images.path(image_id)), coarse, soft=True)
        for pair, mask, alpha in zip(pairs, coarse, alphas, strict=True):
            sides = (mask.astype(np.uint8), (~mask).astype(np.uint8))
            near = sum(cv2.distanceTransform(side, cv2.DIST_L2, 5) for side in sides) <= REACH
            yield alpha[near] / 255, pair.truth.to_frame()[near]


def calibration(alpha: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Per tenth of alpha: pixels, their mean alpha and the share that is foreground; the error and the Brier score."""
    bins = np.minimum((alpha * BINS).astype(int), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    means, shares = (np.bincount(bins, values, BINS) / np.maximum(counts, 1) for values in (alpha, truth))
    error = float((counts * np.abs(means - shares)).sum() / counts.sum())
    rows = [
        {"pixels": int(count), "alpha": round(float(mean), 4), "foreground": round(float(share), 4)}
        for count, mean, share in zip(counts, means, shares, strict=True)
    ]
    return {"expected_calibration_error": error, "brier": float(((alpha - truth) ** 2).mean()), "bins": rows}


def table(report: dict[str, Any]) -> str:
    """For every set, with and without the verdict: the share of foreground in each tenth of alpha."""
    head = ["masks", *(f"{low / BINS:.1f}" for low in range(BINS)), "mean error"]
    lines = []
    for name, found in report["sets"].items():
        for caution, what in ((0, "caution 0"), (AUTO, "with the verdict")):
            one = found[f"caution {caution}"]
            shares = [f"{100 * row['foreground']:.0f} %" for row in one["bins"]]
            error = f"{100 * one['expected_calibration_error']:.1f} points"
            lines.append([f"{NAMES[name]}, {found['masks']}: {what}", *shares, error])
    return markdown_table(head, lines)


def main() -> None:
    parser = script_parser(__doc__, RESULTS / "calibration.json")
    parser.add_argument("data", type=Path)
    args = parser.parse_args()
    report: dict[str, Any] = {"model": MODEL, "sets": {}}
    for name in NAMES:
        split, found = Split.read(args.data, name), {}
        for caution in (0, AUTO):
            parts = list(near_pixels(split, load_refiner(MODEL, caution=caution)))
            alpha, truth = (np.concatenate(side) for side in zip(*parts, strict=True))
            found[f"caution {caution}"] = calibration(alpha, truth)
        report["sets"][name] = {"masks": len(split.pairs), **found}
    write_report(args.out, {**report, **dated_versions(PACKAGES)}, f"{table(report)}\n")


if __name__ == "__main__":
    main()
