"""Cut patches out of an image and its mask.

Legend: K patches, S window side (patch and padding), C channels, H W frame.
"""

from __future__ import annotations

import cv2
import numpy as np

from bpr.compiled import kernels
from bpr.geometry.boxes import Box, enclosing, grow
from bpr.geometry.evidence import colour_bins, evidence_table
from bpr.geometry.masks import BoxMask, check_image
from bpr.geometry.resized import sample_colours, sample_mask
from bpr.geometry.scheme import PatchScheme

OUTWARDS = np.array([-1, -1, 1, 1])


def crop_patches(image: np.ndarray, mask: BoxMask, boxes: np.ndarray, scheme: PatchScheme, out: np.ndarray | None = None) -> np.ndarray:
    """(K, S, S, C) uint8 network input of one instance: RGB, mask as 0/255, then the scheme's further inputs.

    Args:
        image: (H, W, 3) uint8 RGB.
        boxes: (K, 4) patch boxes; the scheme's padding is added here. What lies beyond the frame repeats its edge.
            Boxes of another side than the scheme's, all of one size, are resized to S.
        out: where to write.

    Raises:
        ValueError: an image or an ``out`` of another shape or dtype.
    """
    side = scheme.window
    shape = len(boxes), side, side, scheme.channels
    patches = np.empty(shape, np.uint8) if out is None else out
    check_image(image, mask.frame)
    if patches.shape != shape or patches.dtype != np.uint8:
        raise ValueError(f"out: expected {shape} uint8, got {patches.shape} {patches.dtype}")
    if not len(boxes):
        return patches
    table = evidence_table(image, mask) if "evidence" in scheme.inputs else None
    if scheme.resizes(boxes[0]):
        for patch, box in zip(patches, boxes.tolist(), strict=True):
            colours = sample_colours(image, scheme.window_of(box), side)
            patch[:] = _inputs(colours, crop_window(mask, box, scheme), table, scheme)
        return patches
    windows = boxes + scheme.padding * OUTWARDS
    if compiled := kernels():
        channels = {name: channel for channel, name in enumerate(scheme.inputs[1:], start=3)}
        place = mask.pixels, mask.left, mask.top, np.ascontiguousarray(windows[:, :2])
        known = np.empty(0, np.uint8) if table is None else table
        compiled.cut_windows(image, *place, known, channels.get("mask", -1), channels.get("evidence", -1), patches)
        return patches
    area = enclosing(windows)
    # Patches of one instance overlap, so their channels are made once for all.
    canvas = _inputs(_crop_colours(image, area), crop_mask(mask, area), table, scheme)
    for patch, (x, y) in zip(patches, (windows[:, :2] - area[:2]).tolist(), strict=True):
        patch[:] = canvas[y : y + side, x : x + side]
    return patches


def crop_window(mask: BoxMask, box: Box, scheme: PatchScheme) -> np.ndarray:
    """(S, S) bool: what the network sees of ``mask`` in the patch ``box``."""
    window = scheme.window_of(box)
    return sample_mask(mask, window, scheme.window) if scheme.resizes(box) else crop_mask(mask, window)


def crop_mask(mask: BoxMask, box: Box) -> np.ndarray:
    """(y1 - y0, x1 - x0) bool window of a mask; what lies beyond the frame repeats its edge, as in the image."""
    inside = grow(box, 0, mask.frame)
    return _pad_to(mask.window(inside).view(np.uint8), inside, box).view(bool)


def _crop_colours(image: np.ndarray, box: Box) -> np.ndarray:
    x0, y0, x1, y1 = inside = grow(box, 0, (image.shape[0], image.shape[1]))
    return _pad_to(image[y0:y1, x0:x1], inside, box)


def _inputs(colours: np.ndarray, coarse: np.ndarray, table: np.ndarray | None, scheme: PatchScheme) -> np.ndarray:
    """All input channels, (h, w, C), of a place that shows (h, w, 3) ``colours`` and the (h, w) ``coarse`` mask."""
    channels = [colours]
    for name in scheme.inputs[1:]:
        channels.append(coarse * np.uint8(255) if table is None or name == "mask" else table.take(colour_bins(colours)))
    return cv2.merge(channels)


def _pad_to(array: np.ndarray, inside: Box, box: Box) -> np.ndarray:
    """Repeat the edge of what was cut at the frame (``inside``) until it fills ``box``."""
    left, top, right, bottom = (abs(a - b) for a, b in zip(inside, box, strict=True))
    if not (left or top or right or bottom):
        return array
    return cv2.copyMakeBorder(array, top, bottom, left, right, cv2.BORDER_REPLICATE)
