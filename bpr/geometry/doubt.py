"""How little a coarse boundary is to be trusted: where it does not lie on the strongest edge nearby.

Legend: H W frame, h w area.
"""

from __future__ import annotations

import cv2
import numpy as np

from bpr.geometry.boundary import boundary_levels
from bpr.geometry.boxes import Box
from bpr.geometry.masks import BoxMask

BLUR = 1.0
NEARBY = 5
FAINT = 10.0
"""Edges of about this strength (Sobel of 8-bit colours) are noise: near them no place is better than another."""


def boundary_doubt(image: np.ndarray, mask: BoxMask, area: Box) -> np.ndarray:
    """(h, w) float32 in ``area``, a box inside the frame: the doubt of every boundary pixel, 0 elsewhere.

    A boundary pixel on the strongest edge within ``NEARBY`` pixels has no doubt, one far off it or without an edge almost
    1. The sum is divided by the boundary's length: long and short boundaries count alike.

    Args:
        image: (H, W, 3) uint8 RGB.

    >>> image = np.zeros((40, 40, 3), np.uint8); image[:, 20:] = 200
    >>> on, off = np.zeros((2, 40, 40), bool); on[:, 20:] = True; off[:, 24:] = True
    >>> [round(float(boundary_doubt(image, BoxMask.from_frame(mask), (0, 0, 40, 40)).sum()), 1) for mask in (on, off)]
    [0.0, 1.0]
    """
    x0, y0, x1, y1 = area
    boundary = boundary_levels(mask.window(area)) > 0
    if not boundary.any():
        return boundary.astype(np.float32)
    strength = _edge_strength(image[y0:y1, x0:x1])
    strongest = cv2.dilate(strength, np.ones((2 * NEARBY + 1, 2 * NEARBY + 1), np.uint8))
    doubt = boundary * (1 - strength / (strongest + FAINT))
    return (doubt / np.count_nonzero(boundary)).astype(np.float32)


def _edge_strength(image: np.ndarray) -> np.ndarray:
    """(h, w) float32: the largest gradient of the three colours."""
    smooth = cv2.GaussianBlur(image, (0, 0), BLUR)
    gradient = cv2.magnitude(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    return np.maximum(np.maximum(gradient[..., 0], gradient[..., 1]), gradient[..., 2])
