"""Colour evidence: what the object's colours look like elsewhere, told to every patch.

From the whole coarse mask, one smoothed colour histogram of its eroded inside and one of its surroundings give
each colour a log-likelihood ratio: a further input channel that costs one table look-up per pixel.
"""

from __future__ import annotations

import cv2
import numpy as np

from bpr.geometry.boxes import grow
from bpr.geometry.masks import BoxMask

BINS = 16
SURROUNDINGS = 24
EROSION = 0.04
MOST_SAMPLES = 16384
FLOOR = 1e-4
RATIO_AT_LIMIT = 2.0


def evidence_table(image: np.ndarray, mask: BoxMask) -> np.ndarray:
    """(4096,) uint8 evidence of every colour bin: 128 says nothing, 255 inside, 1 outside.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: the coarse mask of the instance.
    """
    box = grow(mask.box, SURROUNDINGS, mask.frame)
    stride = max(1, int(np.sqrt((box[2] - box[0]) * (box[3] - box[1]) / MOST_SAMPLES)))
    coarse = mask.window(box)[::stride, ::stride].astype(np.uint8)
    colours = colour_bins(image[box[1] : box[3] : stride, box[0] : box[2] : stride])
    reach = max(1, round(EROSION * float(np.sqrt(coarse.sum()))))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    inside = cv2.erode(coarse, kernel).astype(bool)
    if not inside.any():
        inside = coarse.astype(bool)
    outside = cv2.dilate(coarse, kernel) == 0
    ratio = np.log(_histogram(colours[inside]) / _histogram(colours[outside]))
    return np.round(128 + 127 * np.clip(ratio / RATIO_AT_LIMIT, -1, 1)).astype(np.uint8)


def colour_bins(image: np.ndarray) -> np.ndarray:
    """Bin 0..4095 of every pixel of a (..., 3) uint8 image.

    >>> colour_bins(np.array([[255, 0, 16]], np.uint8)).tolist()
    [3841]
    """
    coarse = (image >> 4).astype(np.uint16)
    return (coarse[..., 0] << 8) | (coarse[..., 1] << 4) | coarse[..., 2]


def _histogram(colours: np.ndarray) -> np.ndarray:
    """(4096,) smoothed frequencies, never zero; uniform when there is no sample."""
    counts: np.ndarray = np.bincount(colours, minlength=BINS**3).astype(np.float64).reshape(BINS, BINS, BINS)
    for axis in range(3):
        padded = np.pad(counts, [(1, 1) if a == axis else (0, 0) for a in range(3)], mode="edge")
        low, middle, high = (np.take(padded, range(i, i + BINS), axis=axis) for i in range(3))
        counts = (low + 2 * middle + high) / 4
    total = counts.sum()
    return counts.ravel() / total + FLOOR if total else np.full(BINS**3, 1 / BINS**3) + FLOOR
