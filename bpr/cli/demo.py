"""``bpr demo``: painted scenes with exact ground truth, refined, measured and drawn; no download, no data set."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bpr.backends import DEFAULT_MODEL
from bpr.cli.numbers import at_least

if TYPE_CHECKING:
    from bpr.geometry.masks import BoxMask
    from bpr.refinement.refiner import Refiner
    from bpr.scenes import Scene

HELP = "refine painted scenes, print before and after, draw them"
EXAMPLE = "bpr demo --out demo_output"
SCENES = 4
TOLERANCE = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", default="demo_output", help="folder of the pictures (default: %(default)s)")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a model's name, or a .onnx or .pth file (default: %(default)s)")
    parser.add_argument("--seed", type=at_least(0), default=0, metavar="N", help="first scene (default: %(default)s)")


@dataclass(frozen=True)
class Agreement:
    """(N,) IoU and boundary F at ``TOLERANCE`` pixels of N masks with their truths."""

    iou: np.ndarray
    f: np.ndarray


def run(args: argparse.Namespace) -> int:
    import bpr
    from bpr.scenes import real_photograph

    refiner, folder = bpr.load(args.model), Path(args.out)
    measured = [_scene(args.seed + index, index, refiner, folder) for index in range(SCENES)]
    before, after = (_together(side) for side in zip(*measured, strict=True))
    _print_table(before, after)
    photograph = real_photograph()
    if photograph is None:
        print("photograph: left out; it comes with scikit-image (pip install scikit-image)")
    else:
        _draw(folder / "photograph.png", photograph, photograph.masks, refiner, None)
    return 0


def _scene(seed: int, index: int, refiner: Refiner, folder: Path) -> tuple[Agreement, Agreement]:
    """Paint, coarsen, refine, draw; how well coarse and refined masks agree with the truth."""
    from bpr.scenes import coarse_masks, paint_scene

    scene = paint_scene(seed)
    coarse = coarse_masks(scene, "mask_head" if index % 2 == 0 else "prototype", seed)
    refined = _draw(folder / f"scene_{seed}.png", scene, coarse, refiner, scene.masks)
    return _agreement(coarse, scene.masks), _agreement(refined, scene.masks)


def _draw(path: Path, scene: Scene, coarse: Sequence[BoxMask], refiner: Refiner, truth: Sequence[BoxMask] | None) -> list[BoxMask]:
    """Refine, and write the before/after picture; returns the refined masks."""
    from bpr.geometry.masks import BoxMask
    from bpr.report.draw import before_after, write_image

    before = _stack(coarse)
    after = refiner(scene.image, before)
    write_image(path, before_after(scene.image, before, after, None if truth is None else _stack(truth)))
    print(f"before/after: {path}")
    return [BoxMask.from_frame(mask) for mask in after]


def _stack(masks: Sequence[BoxMask]) -> np.ndarray:
    """(N, H, W) bool."""
    return np.stack([mask.to_frame() for mask in masks])


def _agreement(masks: Sequence[BoxMask], truths: Sequence[BoxMask]) -> Agreement:
    from bpr.evaluation.boundary_metrics import boundary_counts, overlap

    pairs = list(zip(masks, truths, strict=True))
    return Agreement(
        np.array([overlap(*pair).iou for pair in pairs]),
        np.array([boundary_counts(*pair, tolerance=TOLERANCE).f for pair in pairs]),
    )


def _together(parts: Sequence[Agreement]) -> Agreement:
    return Agreement(np.concatenate([part.iou for part in parts]), np.concatenate([part.f for part in parts]))


def _print_table(before: Agreement, after: Agreement) -> None:
    better, worse = np.mean(after.iou > before.iou), np.mean(after.iou < before.iou)
    print(f"{len(before.iou)} masks in {SCENES} scenes   before    after")
    print(f"mean IoU               {before.iou.mean():8.3f} {after.iou.mean():8.3f}")
    print(f"mean boundary F, {TOLERANCE} px  {before.f.mean():8.3f} {after.f.mean():8.3f}")
    print(f"IoU improved {better:.0%}, harmed {worse:.0%}")
