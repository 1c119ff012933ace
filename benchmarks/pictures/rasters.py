"""Draw the pictures of docs/raster.md: painted cells of 12 bits, seen in two ways, and painted fields from above.

    python -m benchmarks.pictures.rasters

The cells are those of `benchmarks/proofs/raster.py`. Labels are 3 px too large.
"""

from __future__ import annotations

import cv2
import numpy as np

import bpr
from benchmarks.measuring import ASSETS
from benchmarks.proofs.raster import TILE, Objects
from bpr.geometry.boxes import Box
from bpr.geometry.masks import BoxMask
from bpr.io.images import show_array
from bpr.io.pixels import PixelOptions
from bpr.report.draw import COARSE, REFINED, framed, legend, side_by_side, write_image
from bpr.report.tiles import captioned, close_up

MODEL = "starter"
SIDE = 340
"""Pixels of a tile of a picture."""
SHOWN: dict[str, Box] = {"cells": (40, 60, 210, 230), "fields": (90, 90, 330, 330)}
MARGIN = 3
"""Pixels by which labels are too large."""


def cells() -> tuple[np.ndarray, np.ndarray]:
    """An image of 12 bits, and its labels."""
    (image,), (labels,) = (list(Objects(TILE, 130).tiles(labels=kind)) for kind in (False, True))
    return image.astype(np.uint16) * 16, labels


def fields() -> tuple[np.ndarray, np.ndarray]:
    """An image of fields with furrows between grass, and their labels."""
    rng, count = np.random.default_rng(4), 6
    step = TILE / count
    grid = np.indices((count + 1, count + 1))[::-1].transpose(1, 2, 0)
    corners = (grid + rng.uniform(-0.2, 0.2, grid.shape)) * step
    image, labels = np.full((TILE, TILE, 3), (96, 112, 70), np.uint8), np.zeros((TILE, TILE), np.int32)
    rows, columns = np.indices((TILE, TILE))
    for number in range(count**2):
        y, x = divmod(number, count)
        ring = np.array([corners[y, x], corners[y, x + 1], corners[y + 1, x + 1], corners[y + 1, x]])
        ring = np.rint(ring.mean(axis=0) + 0.82 * (ring - ring.mean(axis=0))).astype(np.int32)
        inside = cv2.fillPoly(np.zeros((TILE, TILE), np.uint8), [ring], 1)
        colour = np.array([(178, 150, 104), (142, 170, 84), (196, 184, 132), (120, 92, 70)][rng.integers(4)]) + rng.integers(-12, 13, 3)
        angle = rng.uniform(0, np.pi)
        furrows = 7 * np.sin((columns * np.cos(angle) + rows * np.sin(angle)) * 1.1)
        image[inside > 0] = np.clip(colour + furrows[inside > 0, None], 0, 255)
        labels[cv2.dilate(inside, np.ones((2 * MARGIN + 1,) * 2, np.uint8)) > 0] = number + 1
    noise = rng.integers(-8, 9, image.shape)
    return np.clip(cv2.GaussianBlur(image, (0, 0), 1.0) + noise, 0, 255).astype(np.uint8), labels


def tile(shown: np.ndarray, box: Box, caption: str, *labels: tuple[np.ndarray, tuple[int, int, int]]) -> np.ndarray:
    """A close-up with the outlines of every number of label maps."""
    outlines = [(BoxMask.from_frame(one == number), colour, 2) for one, colour in labels for number in np.unique(one[one > 0])]
    return captioned(close_up(shown, box, SIDE, outlines), [caption])


def write(name: str, tiles: list[np.ndarray]) -> None:
    row = side_by_side(tiles)
    write_image(ASSETS / name, framed(np.concatenate([legend(row.shape[1], with_truth=False), row])))


def main() -> None:
    refiner = bpr.load(MODEL)
    image, labels = cells()
    ways = (("seen by its depth", PixelOptions()), ("divided by 256", PixelOptions("none")))
    tiles = []
    for name, options in ways:
        shown = show_array(image, "image", options).pixels
        tiles.append(tile(shown, SHOWN["cells"], f"12 bits, {name}", (labels, COARSE), (refiner(shown, labels), REFINED)))
    write("raster_cells.png", tiles)
    image, labels = fields()
    refined = refiner(image, labels)
    tiles = [
        tile(image, SHOWN["fields"], "labels", (labels, COARSE)),
        tile(image, SHOWN["fields"], "refined", (refined, REFINED)),
    ]
    write("raster_fields.png", tiles)


if __name__ == "__main__":
    main()
