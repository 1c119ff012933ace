"""Draw the pictures of docs/concepts.md: one object of a painted scene, one picture per step of the method.

    python -m benchmarks.pictures.concepts

Legend: T tile side, K patches of the object.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

import bpr
from benchmarks.measuring import ASSETS
from bpr.geometry.boundary import boundary_levels, boundary_pixels
from bpr.geometry.boxes import Box, grow, squares_inside
from bpr.geometry.masks import BoxMask
from bpr.refinement.batching import InstancePatches
from bpr.refinement.refiner import Refinement
from bpr.report.draw import BACKGROUND, COARSE, GAP, PALETTE, REFINED, TRUTH, Colour, blank, write_image
from bpr.report.tiles import captioned, close_up, flat, square_around
from bpr.scenes import coarse_masks, paint_scene

SEED, OBJECT = 12, 0
TILE = 320
EVERY = 9
"""Draw every ninth of the squares before suppression."""


Tiles = list[tuple[np.ndarray, str]]
"""Tiles with their captions."""


@dataclass(frozen=True, eq=False)
class Case:
    """One object: the image, its masks, its patches with their probabilities, and the box that is shown."""

    image: np.ndarray
    truth: BoxMask
    coarse: BoxMask
    refined: BoxMask
    probability: np.ndarray
    patches: InstancePatches
    shown: Box

    def view(self, *contours: tuple[BoxMask, Colour, int], image: np.ndarray | None = None) -> np.ndarray:
        return close_up(self.image if image is None else image, self.shown, TILE, contours)


def follow() -> Case:
    scene = paint_scene(SEED)
    truth, coarse = scene.masks[OBJECT], coarse_masks(scene, "mask_head", SEED)[OBJECT]
    frame = coarse.to_frame()[None]
    found: Refinement = bpr.load("starter")(scene.image, frame, return_probability=True, return_patches=True)
    assert found.patches
    shown = square_around([tuple(box) for box in found.patches[0].boxes.tolist()], truth.frame, margin=0.02)
    refined = BoxMask.from_frame(found.masks[0])
    return Case(scene.image, truth, coarse, refined, found.probability[0], found.patches[0], shown)


def boundary(case: Case) -> Tiles:
    around = grow(case.coarse.box, 1, case.coarse.frame)
    levels = np.zeros(case.coarse.frame, np.uint8)
    levels[around[1] : around[3], around[0] : around[2]] = boundary_levels(case.coarse.window(around))
    glow = cv2.applyColorMap(levels * np.uint8(60), cv2.COLORMAP_INFERNO)[..., ::-1]
    on = np.where(levels[..., None] > 0, glow, case.image // 3)
    mask, edge = case.view((case.coarse, COARSE, 2)), case.view(image=on)
    return [(mask, "the coarse mask"), (edge, "its boundary; brighter is surer")]


def proposals(case: Case) -> Tiles:
    rows, columns = boundary_pixels(case.coarse)
    side = int(case.patches.boxes[0, 2] - case.patches.boxes[0, 0])
    squares = squares_inside(rows, columns, side, case.coarse.frame)
    drawn, kept = boxed(case, squares[::EVERY]), boxed(case, case.patches.boxes)
    text = f"{len(squares)} squares, every {EVERY}th drawn"
    return [(drawn, text), (kept, f"{len(case.patches.boxes)} after suppression: the patches")]


def patch(case: Case) -> Tiles:
    """The input channels of the patch that the network changed most."""
    window = case.patches.patches[most_changed(case)]
    names = ("colours", "the coarse mask", "colour evidence")
    channels = (window[..., :3], *(np.repeat(window[..., index, None], 3, axis=2) for index in (3, 4)))
    return [(enlarged(pixels), name) for pixels, name in zip(channels, names, strict=True)]


def refined_patch(case: Case) -> Tiles:
    at = most_changed(case)
    probability = (case.patches.probabilities[at] * 255).astype(np.uint8)
    box = tuple(case.patches.boxes[at].tolist())
    contours = ((case.coarse, COARSE, 2), (case.truth, TRUTH, 1), (case.refined, REFINED, 2))
    answer = close_up(case.image, box, TILE, contours)
    grey = enlarged(np.repeat(probability[..., None], 3, axis=2))
    return [(grey, "P(foreground)"), (answer, "red before, blue after, white truth")]


def reassembly(case: Case) -> Tiles:
    mean = np.repeat((case.probability * 255).astype(np.uint8)[..., None], 3, axis=2)
    put_back = case.view((case.coarse, COARSE, 1), (case.refined, REFINED, 2))
    return [
        (boxed(case, case.patches.boxes, mean), "the mean of the patches"),
        (flat(case.refined, case.shown, TILE), "over one half: the mask"),
        (put_back, "red before, blue after"),
    ]


def boxed(case: Case, boxes: np.ndarray, image: np.ndarray | None = None) -> np.ndarray:
    """The shown box with the outlines of squares, the first ones on top."""
    tile, zoom = case.view((case.coarse, TRUTH, 1), image=image), TILE / (case.shown[2] - case.shown[0])
    for index, box in reversed(list(enumerate(boxes))):
        corners = np.round((box.reshape(2, 2) - case.shown[:2]) * zoom).astype(int).tolist()
        cv2.rectangle(tile, corners[0], corners[1], PALETTE[index % len(PALETTE)], 1, cv2.LINE_AA)
    return tile


def most_changed(case: Case) -> int:
    """Index of the patch in which most pixels changed."""
    coarse = case.patches.patches[..., 3] > 0
    return int(((case.patches.probabilities > 0.5) != coarse).sum(axis=(1, 2)).argmax())


def enlarged(pixels: np.ndarray) -> np.ndarray:
    return cv2.resize(np.ascontiguousarray(pixels), (TILE, TILE), interpolation=cv2.INTER_NEAREST)


def main() -> None:
    case = follow()
    for step in (boundary, proposals, patch, refined_patch, reassembly):
        tiles = [
            cv2.copyMakeBorder(captioned(tile, [text]), GAP, GAP // 2, GAP, 0, cv2.BORDER_CONSTANT, value=BACKGROUND)
            for tile, text in step(case)
        ]
        picture = np.concatenate([*tiles, blank(tiles[0].shape[0], GAP)], axis=1)
        write_image(ASSETS / f"concept_{step.__name__}.png", picture)
        print(ASSETS / f"concept_{step.__name__}.png")


if __name__ == "__main__":
    main()
