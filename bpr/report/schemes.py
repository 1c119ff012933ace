"""Where each extraction scheme places its patches, side by side (supplement, figure S1).

Legend: N instances, H W image, h w picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from bpr.geometry.boxes import intersect
from bpr.geometry.masks import BoxMask
from bpr.geometry.options import PatchSpec, Placement
from bpr.geometry.patches import patch_boxes
from bpr.geometry.placement import SCHEMES
from bpr.report.draw import PALETTE, draw_contour, framed, side_by_side, titled

WHITE = (255, 255, 255)
WIDTH = 440
"""Width of a panel in pixels."""
BRIGHTNESS = 0.4
"""Brightness of the image outside the patches."""


def draw_schemes(image: np.ndarray, masks: Sequence[BoxMask]) -> np.ndarray:
    """(h, w, 3) uint8 RGB: one panel per scheme, with every patch and the outlines of the coarse masks.

    Args:
        image: (H, W, 3) uint8 RGB.
    """
    panels = [_panel(image, masks, Placement(name), scheme.title) for name, scheme in SCHEMES.items()]
    return framed(side_by_side(panels))


def _panel(image: np.ndarray, masks: Sequence[BoxMask], placement: Placement, title: str) -> np.ndarray:
    boxes = [patch_boxes(mask, PatchSpec(), placement) for mask in masks]
    zoom = WIDTH / image.shape[1]
    # Smoothing removes texture and noise, which would hide thin lines.
    smooth = cv2.bilateralFilter(image, 9, 60, 5)
    picture = cv2.resize(_darkened(smooth, np.concatenate(boxes)), None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
    height, width = picture.shape[:2]
    for index, (mask, patches) in enumerate(zip(masks, boxes, strict=True)):
        outline = cv2.resize(mask.to_frame().view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
        draw_contour(picture, outline, WHITE, 1)
        for patch in patches.tolist():
            left, top, right, bottom = (round(side * zoom) for side in patch)
            x0, y0, x1, y1 = intersect((0, 0, width, height), (left, top, right, bottom))
            cv2.rectangle(picture, (x0, y0), (x1 - 1, y1 - 1), PALETTE[index % len(PALETTE)], 1)
    return titled(picture, f"{title}: {sum(map(len, boxes))} patches")


def _darkened(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The image in dark grey outside the boxes, and unchanged inside them."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None] * BRIGHTNESS
    picture = np.repeat(grey, 3, axis=2).astype(np.uint8)
    for x0, y0, x1, y1 in boxes.tolist():
        picture[y0:y1, x0:x1] = image[y0:y1, x0:x1]
    return picture
