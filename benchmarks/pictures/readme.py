"""Draw the README's picture: a photograph and a painted scene, refined by the starter model.

The photograph's coarse mask is a hand-drawn outline with the errors of a Mask R-CNN's mask; the scene's coarse masks are
its true masks with the same errors.

python -m benchmarks.pictures.readme
"""

from __future__ import annotations

import cv2
import numpy as np

import bpr
from benchmarks.measuring import ASSETS
from bpr.report.draw import before_after, write_image
from bpr.scenes import Scene, coarse_masks, paint_scene, real_photograph

OUT = ASSETS / "before_after.png"
SEED, WIDTH = 0, 900
ABOVE_THE_GRASS = slice(45, 345)
"""The rows of the photograph that are drawn."""


def main() -> None:
    photograph, painted = real_photograph(), paint_scene(SEED)
    truth = np.stack([mask.to_frame() for mask in painted.masks])
    picture = np.concatenate([drawn(photograph, rows=ABOVE_THE_GRASS), drawn(painted, truth)])
    height = round(picture.shape[0] * WIDTH / picture.shape[1])
    write_image(OUT, cv2.resize(picture, (WIDTH, height), interpolation=cv2.INTER_AREA))


def drawn(scene: Scene, truth: np.ndarray | None = None, rows: slice = slice(None)) -> np.ndarray:
    """The masks of a scene before and after; rows of it."""
    coarse = np.stack([mask.to_frame() for mask in coarse_masks(scene, "mask_head", SEED)])
    refined = bpr.load("starter")(scene.image, coarse)
    return before_after(scene.image[rows], coarse[:, rows], refined[:, rows], truth)


if __name__ == "__main__":
    main()
