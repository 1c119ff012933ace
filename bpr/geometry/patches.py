"""Cut patches out of an image and its mask, and put refined patches back.

Legend: K patches, S window side (patch and padding), C channels, H W frame.
"""

from __future__ import annotations

import cv2
import numpy as np

from bpr.geometry.boxes import Box, enclosing, grow
from bpr.geometry.evidence import colour_bins, evidence_table
from bpr.geometry.masks import BoxMask
from bpr.geometry.scheme import PatchScheme

OUTWARDS = np.array([-1, -1, 1, 1])


def crop_patches(image: np.ndarray, mask: BoxMask, boxes: np.ndarray, scheme: PatchScheme, out: np.ndarray | None = None) -> np.ndarray:
    """(K, S, S, C) uint8 network input of one instance: RGB, mask as 0/255, then the scheme's further inputs.

    Args:
        image: (H, W, 3) uint8 RGB.
        boxes: (K, 4) patch boxes; the scheme's padding is added here. What lies beyond the frame repeats its edge.
        out: where to write.
    """
    side = scheme.window
    patches = np.empty((len(boxes), side, side, scheme.channels), np.uint8) if out is None else out
    if len(boxes):
        windows = boxes + scheme.padding * OUTWARDS
        left, top, _, _ = area = enclosing(windows)
        canvas = _inputs(image, mask, area, scheme)
        for patch, (x, y) in zip(patches, (windows[:, :2] - (left, top)).tolist(), strict=True):
            patch[:] = canvas[y : y + side, x : x + side]
    return patches


def crop_mask(mask: BoxMask, box: Box) -> np.ndarray:
    """(y1 - y0, x1 - x0) bool window of a mask; what lies beyond the frame repeats its edge, as in the image."""
    inside = grow(box, 0, mask.frame)
    return _pad_to(mask.window(inside).view(np.uint8), inside, box).view(bool)


def _inputs(image: np.ndarray, mask: BoxMask, area: Box, scheme: PatchScheme) -> np.ndarray:
    """All input channels in ``area``, (h, w, C): patches of one instance overlap, so they are made once for all."""
    x0, y0, x1, y1 = inside = grow(area, 0, mask.frame)
    colours = _pad_to(image[y0:y1, x0:x1], inside, area)
    channels = [colours]
    for name in scheme.inputs[1:]:
        if name == "mask":
            channels.append(crop_mask(mask, area) * np.uint8(255))
        else:
            channels.append(evidence_table(image, mask)[colour_bins(colours)])
    return cv2.merge(channels)


def _pad_to(array: np.ndarray, inside: Box, box: Box) -> np.ndarray:
    """Repeat the edge of what was cut at the frame (``inside``) until it fills ``box``."""
    left, top, right, bottom = (abs(a - b) for a, b in zip(inside, box, strict=True))
    if not (left or top or right or bottom):
        return array
    return cv2.copyMakeBorder(array, top, bottom, left, right, cv2.BORDER_REPLICATE)


def reassemble(mask: BoxMask, boxes: np.ndarray, probabilities: np.ndarray, padding: int = 0) -> BoxMask:
    """Put refined patches back: mean probability > 0.5 where patches lie, the coarse mask elsewhere.

    Args:
        mask: the coarse mask.
        boxes: (K, 4) patch boxes without padding.
        probabilities: (K, S, S) float32 P(foreground); their outermost ``padding`` pixels are left out.

    >>> coarse = BoxMask.from_frame(np.eye(4, dtype=bool))
    >>> refined = reassemble(coarse, np.array([[0, 0, 2, 2]]), np.full((1, 2, 2), 0.9, np.float32))
    >>> refined.to_frame().astype(int)
    array([[1, 1, 0, 0],
           [1, 1, 0, 0],
           [0, 0, 1, 0],
           [0, 0, 0, 1]])
    """
    if not len(boxes):
        return mask
    # The mean of P exceeds 1/2 where the sum of P - 1/2 is positive: no division is needed.
    excess, count, area = _accumulate(mask, boxes, probabilities, padding)
    pixels = np.where(count > 0, excess > 0, mask.window(area))
    return BoxMask(pixels, area[0], area[1], mask.frame).trimmed()


def mean_probability(mask: BoxMask, boxes: np.ndarray, probabilities: np.ndarray, box: Box, padding: int = 0) -> np.ndarray:
    """(h, w) float32 in ``box``: mean P(foreground) where patches lie, 1 or 0 as the coarse mask elsewhere.

    Args:
        box: within the smallest box around mask and patches; the other arguments are those of :func:`reassemble`.
    """
    held = mask.window(box).astype(np.float32)
    if not len(boxes):
        return held
    excess, count, (left, top, _, _) = _accumulate(mask, boxes, probabilities, padding)
    place = np.s_[box[1] - top : box[3] - top, box[0] - left : box[2] - left]
    mean = excess[place] / np.maximum(count[place], 1) + np.float32(0.5)
    return np.where(count[place] > 0, mean, held).astype(np.float32)


def _accumulate(mask: BoxMask, boxes: np.ndarray, probabilities: np.ndarray, padding: int) -> tuple[np.ndarray, np.ndarray, Box]:
    """Sum of P - 1/2 (float32) and number of patches (int32), each (h, w), in the box around mask and patches."""
    left, top, right, bottom = area = grow(enclosing(np.concatenate([boxes, [mask.box]])), 0, mask.frame)
    excess = np.zeros((bottom - top, right - left), np.float32)
    count = np.zeros(excess.shape, np.int32)
    for (x0, y0, x1, y1), surplus in zip(boxes.tolist(), probabilities - np.float32(0.5), strict=True):
        x1, y1 = min(x1, right), min(y1, bottom)
        place = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        excess[place] += surplus[padding : padding + y1 - y0, padding : padding + x1 - x0]
        count[place] += 1
    return excess, count, area
