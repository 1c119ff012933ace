"""Cut patches out of an image and its mask, and put refined patches back.

Legend: K patches, S window side (patch and padding), C channels, H W frame.
"""

from __future__ import annotations

import cv2
import numpy as np

from bpr.geometry.boxes import enclosing, grow
from bpr.geometry.evidence import colour_bins, evidence_table
from bpr.geometry.masks import BoxMask
from bpr.geometry.scheme import PatchScheme


def crop_patches(image: np.ndarray, mask: BoxMask, boxes: np.ndarray, scheme: PatchScheme) -> np.ndarray:
    """(K, S, S, C) uint8 network input of one instance: RGB, mask as 0/255, then the scheme's further inputs.

    Args:
        image: (H, W, 3) uint8 RGB.
        boxes: (K, 4) patch boxes; the scheme's padding is added here. What lies beyond the frame repeats its edge.
    """
    patches = np.empty((len(boxes), scheme.window, scheme.window, scheme.channels), np.uint8)
    if not len(boxes):
        return patches
    reach = scheme.padding * np.array([-1, -1, 1, 1])
    table = evidence_table(image, mask) if "evidence" in scheme.inputs else None
    for patch, box in zip(patches, boxes + reach, strict=True):
        patch[..., :3] = _crop_image(image, box)
        for channel, name in enumerate(scheme.inputs[1:], start=3):
            patch[..., channel] = crop_mask(mask, box) * np.uint8(255) if table is None or name == "mask" else table[colour_bins(patch[..., :3])]
    return patches


def crop_mask(mask: BoxMask, box: np.ndarray) -> np.ndarray:
    """(S, S) bool window of a mask; what lies beyond the frame repeats its edge, as in the image."""
    inside = grow(tuple(box.tolist()), 0, mask.frame)
    return _pad_to(mask.window(inside).astype(np.uint8), inside, box) > 0


def _crop_image(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    x0, y0, x1, y1 = inside = grow(tuple(box.tolist()), 0, image.shape[:2])
    return _pad_to(image[y0:y1, x0:x1], inside, box)


def _pad_to(array: np.ndarray, inside: tuple[int, ...], box: np.ndarray) -> np.ndarray:
    """Repeat the edge of what was cut at the frame (``inside``) until it fills ``box``."""
    left, top, right, bottom = (abs(int(a) - int(b)) for a, b in zip(inside, box, strict=True))
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
    area = enclosing(np.concatenate([boxes, [mask.box]]))
    left, top, right, bottom = grow(area, 0, mask.frame)
    total = np.zeros((bottom - top, right - left), np.float32)
    count = np.zeros(total.shape, np.uint16)
    for (x0, y0, x1, y1), probability in zip(boxes.tolist(), probabilities, strict=True):
        x1, y1 = min(x1, right), min(y1, bottom)
        place = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        total[place] += probability[padding : padding + y1 - y0, padding : padding + x1 - x0]
        count[place] += 1
    coarse = mask.window((left, top, right, bottom))
    pixels = np.where(count > 0, total > 0.5 * count, coarse)
    return BoxMask(pixels, left, top, mask.frame).trimmed()
