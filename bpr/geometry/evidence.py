"""Colour evidence: how typical the colour of a pixel is of the instance.

The whole coarse mask gives two smoothed colour histograms: one of its eroded inside and one of its surroundings. Their
log-likelihood ratio is the evidence of a colour, and drawing the channel costs one look-up per pixel.
"""

from __future__ import annotations

import cv2
import numpy as np

from bpr.compiled import kernels
from bpr.geometry.boxes import grow
from bpr.geometry.masks import BoxMask, check_image

BINS = 16
"""Bins of each of the colours red, green and blue."""
SURROUNDINGS = 24
"""Pixels around the box of the mask that belong to its surroundings."""
EROSION = 0.04
"""The boundary is left out of both histograms, up to this share of the square root of the area to either side."""
MOST_SAMPLES = 16384
"""Above about this many pixels, only every second (third, ...) row and column is counted."""
FLOOR = 1e-4
"""Added to every frequency, so that none is zero."""
RATIO_AT_LIMIT = 2.0
"""The log-likelihood ratio at which the evidence reaches 255; minus this, it reaches 1."""
SMOOTHING = np.array([[(0.25, 0.5, 0.25)[i - j + 1] if abs(i - j) < 2 else 0 for j in range(BINS)] for i in range(BINS)])
SMOOTHING[[0, -1], [0, -1]] = 0.75
"""(BINS, BINS): half of a bin's count and a quarter of each neighbour's; the first and the last bin also stand in for
their missing neighbour."""


def evidence_table(image: np.ndarray, mask: BoxMask) -> np.ndarray:
    """(4096,) uint8 evidence of every colour bin: 255 is inside, 1 is outside, 128 is either.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: the coarse mask of the instance.

    Raises:
        ValueError: an image of another shape or dtype.
    """
    check_image(image, mask.frame)
    box = grow(mask.box, SURROUNDINGS, mask.frame)
    stride = max(1, int(np.sqrt((box[2] - box[0]) * (box[3] - box[1]) / MOST_SAMPLES)))
    coarse = mask.window(box)[::stride, ::stride].astype(np.uint8)
    sample = image[box[1] : box[3] : stride, box[0] : box[2] : stride]
    side = 2 * max(1, round(EROSION * float(np.sqrt(coarse.sum())))) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    inside = cv2.erode(coarse, kernel)
    outside = (cv2.dilate(coarse, kernel) == 0).view(np.uint8)
    inside = inside if inside.any() else coarse
    pixels = sample.copy()  # contiguous and writable, as the compiled loop takes it
    if compiled := kernels():
        in_object, around = compiled.colour_frequencies(pixels, np.ascontiguousarray(inside), outside, FLOOR)
    else:
        in_object, around = _frequencies(pixels, inside), _frequencies(pixels, outside)
    ratio = np.log(in_object / around)
    return np.round(128 + 127 * np.clip(ratio / RATIO_AT_LIMIT, -1, 1)).astype(np.uint8)


def evidence_of(colours: np.ndarray, table: np.ndarray) -> np.ndarray:
    """(h, w) uint8: the evidence of every pixel of (h, w, 3) uint8 RGB ``colours``."""
    if compiled := kernels():
        return compiled.looked_up(np.require(colours, requirements=["C", "W"]), table)
    return table.take(colour_bins(colours))


def colour_bins(image: np.ndarray) -> np.ndarray:
    """Bin 0..4095 of every pixel of a (..., 3) uint8 image.

    >>> colour_bins(np.array([[255, 0, 16]], np.uint8)).tolist()
    [3841]
    """
    # OpenCV packs red, green and blue into 5 + 6 + 5 bits; the upper 4 of each are the bin.
    packed = cv2.cvtColor(image.reshape(1, -1, 3), cv2.COLOR_RGB2BGR565).view(np.uint16).reshape(image.shape[:-1])
    return ((packed >> 4) & 0xF00) | ((packed >> 3) & 0xF0) | ((packed >> 1) & 0xF)


def _frequencies(sample: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(4096,) smoothed frequencies of the chosen pixels' colours, never zero; uniform when none is chosen."""
    counts: np.ndarray = np.zeros(BINS**3)
    if sample.size:
        counts = cv2.calcHist([sample], [0, 1, 2], chosen, [BINS] * 3, [0, 256] * 3).astype(np.float64)
    for _ in range(3):
        # Each step smooths one axis and moves the next one to the front, so three steps smooth all. The sums are exact:
        # they are integers divided by 64.
        counts = (SMOOTHING @ counts.reshape(BINS, -1)).T
    total = counts.sum()
    return counts.ravel() / total + FLOOR if total else np.full(BINS**3, 1 / BINS**3) + FLOOR
