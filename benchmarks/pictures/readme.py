"""Draw the README's picture: one painted scene refined by the starter model, at two thirds of its size.

python -m benchmarks.pictures.readme
"""

from __future__ import annotations

import cv2
import numpy as np

import bpr
from benchmarks.measuring import ROOT
from bpr.report.draw import before_after, write_image
from bpr.scenes import coarse_masks, paint_scene

OUT = ROOT / "docs" / "assets" / "before_after.png"
SEED, WIDTH = 0, 900


def main() -> None:
    scene = paint_scene(SEED)
    sides = (scene.masks, coarse_masks(scene, "mask_head", SEED))
    truth, coarse = (np.stack([mask.to_frame() for mask in masks]) for masks in sides)
    picture = before_after(scene.image, coarse, bpr.load("starter")(scene.image, coarse), truth)
    height = round(picture.shape[0] * WIDTH / picture.shape[1])
    write_image(OUT, cv2.resize(picture, (WIDTH, height), interpolation=cv2.INTER_AREA))


if __name__ == "__main__":
    main()
