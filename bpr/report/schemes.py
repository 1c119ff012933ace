"""Where the patches of every extraction scheme lie, side by side (supplement, figure S1).

Legend: N instances, H W image, h w picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from bpr.geometry.boxes import Box, intersect
from bpr.geometry.masks import BoxMask
from bpr.geometry.options import PatchSpec, Placement
from bpr.geometry.placement import SCHEMES, patch_boxes
from bpr.report.draw import BACKGROUND, GAP, HEADER, PALETTE, Colour, blank, draw_contour, write_line

WHITE = (255, 255, 255)
WIDTH = 440
"""Of a panel in pixels."""
GREY = 0.4
"""Strength of the image where no patch lies."""


def draw_schemes(image: np.ndarray, masks: Sequence[BoxMask]) -> np.ndarray:
    """(h, w, 3) uint8 RGB: one panel per scheme, with every patch, and the outlines of the coarse masks.

    Args:
        image: (H, W, 3) uint8 RGB.
    """
    panels = [_panel(image, masks, Placement(name), scheme.title) for name, scheme in SCHEMES.items()]
    gap = blank(panels[0].shape[0], GAP)
    row = np.concatenate([part for panel in panels for part in (gap, panel)][1:], axis=1)
    return cv2.copyMakeBorder(row, GAP, GAP, GAP, GAP, cv2.BORDER_CONSTANT, value=BACKGROUND)


def _panel(image: np.ndarray, masks: Sequence[BoxMask], placement: Placement, title: str) -> np.ndarray:
    boxes = [patch_boxes(mask, PatchSpec(), placement) for mask in masks]
    zoom = WIDTH / image.shape[1]
    # Texture and noise would hide thin lines.
    smooth = cv2.bilateralFilter(image, 9, 60, 5)
    picture = cv2.resize(_dimmed(smooth, np.concatenate(boxes)), None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
    for index, (mask, own) in enumerate(zip(masks, boxes, strict=True)):
        outline = cv2.resize(mask.to_frame().view(np.uint8), picture.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        draw_contour(picture, outline, WHITE, 1)
        for box in own.tolist():
            _draw_box(picture, box, zoom, PALETTE[index % len(PALETTE)])
    header = blank(HEADER, picture.shape[1])
    write_line(header, f"{title}: {sum(map(len, boxes))} patches", 0)
    return np.concatenate([header, picture])


def _dimmed(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The image, dark and grey where no box lies."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None] * GREY
    picture = np.repeat(grey, 3, axis=2).astype(np.uint8)
    for x0, y0, x1, y1 in boxes.tolist():
        picture[y0:y1, x0:x1] = image[y0:y1, x0:x1]
    return picture


def _draw_box(picture: np.ndarray, box: Box, zoom: float, colour: Colour) -> None:
    height, width = picture.shape[:2]
    left, top, right, bottom = (round(side * zoom) for side in box)
    x0, y0, x1, y1 = intersect((0, 0, width, height), (left, top, right, bottom))
    cv2.rectangle(picture, (x0, y0), (x1 - 1, y1 - 1), colour, 1)
