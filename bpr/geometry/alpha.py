"""Soft edges: how opaque every pixel of a refined object is, in 8 bits, and the trimap of such an alpha.

Legend: H W frame, h w box.
"""

from __future__ import annotations

import cv2
import numpy as np

from bpr.geometry.boxes import at
from bpr.geometry.masks import BoxMask
from bpr.geometry.options import Leaning
from bpr.geometry.reassembly import Blended

LEAST_FOREGROUND = 128
"""A pixel is foreground if its alpha is at least this, more than half of 255."""
HAZE = 4
"""An alpha at most this far from 0 or 255 becomes it: a network is nowhere quite certain, and the patches would show."""
UNKNOWN = 128
"""The value of a trimap where it is open whether a pixel is foreground."""
CERTAIN = 13
"""An alpha at least this far from both 0 and 255, a twentieth, is doubtful."""
REACH = 2
"""Pixels around doubtful pixels, and on either side of the outline, that are unknown in a trimap."""


def hard_edges(mask: BoxMask) -> np.ndarray:
    """(H, W) uint8: the alpha of a mask that was not refined, 0 and 255."""
    return mask.to_frame() * np.uint8(255)


def soft_edges(blended: Blended, leaning: Leaning | None, mask: BoxMask) -> np.ndarray:
    """(H, W) uint8: the alpha of a refined mask. Values above half of 255 are the mask.

    It is the mean probability of the patches. A leaning moves the probability t at which a pixel changes sides away from
    one half; the odds of all pixels are then divided by those of t, so that t becomes one half, and 0 and 1 stay.

    Args:
        leaning: how much of the change is taken; None: the mask was kept, and its alpha is 0 and 255.
        mask: the refined mask, which alpha agrees with. Where others took pixels from it, alpha is 0 or 255.
    """
    if leaning is None or not len(blended.boxes):
        return hard_edges(mask)
    foreground = mask.window(blended.box)
    mean = blended.probability().astype(np.float64)
    turn = 0.5 - np.where(blended.coarse, *leaning)
    favour = mean * (1 - turn)
    soft = favour / (favour + (1 - mean) * turn)
    eight = np.rint(255 * soft)
    eight = np.where(foreground, np.maximum(eight, LEAST_FOREGROUND), np.minimum(eight, LEAST_FOREGROUND - 1))
    # Rounding decides within a step of one half. Farther away, something else than the network decided.
    overruled = ((soft > 0.5) != foreground) & (np.abs(soft - 0.5) > 1 / 255)
    certain = overruled | (eight <= HAZE) | (eight >= 255 - HAZE)
    alpha = np.zeros(mask.frame, np.uint8)
    alpha[at(blended.box)] = np.where(certain, 255 * foreground, eight)
    return alpha


def trimap_of(alpha: np.ndarray) -> np.ndarray:
    """(H, W) uint8 of an (H, W) uint8 alpha: 0, 255, and UNKNOWN where alpha is doubtful or the outline is near.

    >>> trimap_of(np.array([[0, 0, 0, 0, 90, 255, 255, 255, 255]], np.uint8))
    array([[  0,   0, 128, 128, 128, 128, 128, 255, 255]], dtype=uint8)
    """
    foreground = (alpha >= LEAST_FOREGROUND).view(np.uint8)
    square = np.ones((3, 3), np.uint8)
    outline = cv2.morphologyEx(foreground, cv2.MORPH_GRADIENT, square) > 0
    doubtful = (alpha >= CERTAIN) & (alpha <= 255 - CERTAIN)
    # An outline pixel is the first one on its side, so one step less reaches as far as from a doubtful pixel.
    near_doubt = cv2.dilate(doubtful.view(np.uint8), square, iterations=REACH) > 0
    near_outline = cv2.dilate(outline.view(np.uint8), square, iterations=REACH - 1) > 0
    return np.where(near_doubt | near_outline, UNKNOWN, 255 * foreground).astype(np.uint8)
