"""``bpr demo``: refine painted scenes, whose ground truth is exact, and a photograph; measure and draw them.

It needs no download and no data set.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bpr.cli.paths import OutputPath

if TYPE_CHECKING:
    from bpr.geometry.masks import BoxMask
    from bpr.refinement.refiner import Refiner
    from bpr.scenes import Scene

EXAMPLE = "bpr demo --out demo_output"
SCENES = 4
TOLERANCE = 2
"""Tolerance of the boundary F measure in pixels."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    out = "folder for the pictures (default: %(default)s)"
    parser.add_argument("--out", type=OutputPath, default="demo_output", help=out)


def run(args: argparse.Namespace) -> int:
    import bpr
    from bpr.scenes import coarse_masks, paint_scene, real_photograph

    refiner, folder = bpr.load(), Path(args.out)
    before, after = [], []
    for seed in range(SCENES):
        scene = paint_scene(seed)
        coarse = coarse_masks(scene, "mask_head" if seed % 2 == 0 else "prototype", seed)
        refined = _refine_and_draw(folder / f"scene_{seed}.png", scene, coarse, refiner, scene.masks)
        before.append(_scores(coarse, scene.masks))
        after.append(_scores(refined, scene.masks))
    _print_table(np.concatenate(before), np.concatenate(after))
    photograph = real_photograph()
    _refine_and_draw(folder / "photograph.png", photograph, coarse_masks(photograph, "mask_head"), refiner, None)
    print("photograph by Lav Varshney (CC0); its coarse mask is a hand-drawn outline on the 28x28 cells of a detector")
    return 0


def _refine_and_draw(
    path: Path, scene: Scene, coarse: Sequence[BoxMask], refiner: Refiner, truth: Sequence[BoxMask] | None
) -> list[BoxMask]:
    """Refine the masks, write the before/after picture, and return the refined masks."""
    from bpr.geometry.masks import BoxMask
    from bpr.report.draw import before_after, write_image

    before = np.stack([mask.to_frame() for mask in coarse])
    truths = None if truth is None else np.stack([mask.to_frame() for mask in truth])
    after = refiner(scene.image, before)
    write_image(path, before_after(scene.image, before, after, truths))
    print(f"before/after: {path}")
    return [BoxMask.from_frame(mask) for mask in after]


def _scores(masks: Sequence[BoxMask], truths: Sequence[BoxMask]) -> np.ndarray:
    """(N, 2) IoU and boundary F of N masks."""
    from bpr.evaluation.boundary_metrics import boundary_counts, overlap

    pairs = zip(masks, truths, strict=True)
    return np.array([(overlap(*pair).iou, boundary_counts(*pair, tolerance=TOLERANCE).f) for pair in pairs])


def _print_table(before: np.ndarray, after: np.ndarray) -> None:
    better, worse = np.mean(after[:, 0] > before[:, 0]), np.mean(after[:, 0] < before[:, 0])
    print(f"{len(before)} masks in {SCENES} scenes   before    after")
    names = ("mean IoU", f"mean boundary F, {TOLERANCE} px")
    for name, old, new in zip(names, before.mean(axis=0), after.mean(axis=0), strict=True):
        print(f"{name:22} {old:8.3f} {new:8.3f}")
    print(f"IoU improved {better:.0%}, harmed {worse:.0%}")
