"""Photos as poor lenses, poor light and strong compression leave them: their edges are harder to find."""

from __future__ import annotations

import cv2
import numpy as np

BLUR, NOISE = (1, 3), (8, 30)
"""Standard deviations, in pixels and in grey levels."""
CONTRAST, BLACK = (0.15, 0.6), (0, 60)
"""What grey levels are multiplied by, and what is added, for a dark and flat photo."""
LOW_QUALITY, MIDDLE_QUALITY = (5, 30), (30, 80)
"""Qualities of JPEG."""


def worn(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A copy that is blurred, noisy, dark or strongly compressed; half of the first three are compressed as well.

    Args:
        image: (H, W, 3) uint8 RGB.

    Returns:
        The same shape and type.
    """
    kind, quality = rng.choice(4), None
    values: np.ndarray = image
    if kind == 0:
        values = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(*BLUR)))
    elif kind == 1:
        values = image + rng.normal(0, rng.uniform(*NOISE), image.shape)
    elif kind == 2:
        values = image * rng.uniform(*CONTRAST) + rng.uniform(*BLACK)
    else:
        quality = rng.integers(*LOW_QUALITY)
    if kind != 3 and rng.random() < 0.5:
        quality = rng.integers(*MIDDLE_QUALITY)
    result = np.clip(values, 0, 255).astype(np.uint8)
    if quality is not None:
        packed = cv2.imencode(".jpg", result[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(quality)])[1]
        result = np.ascontiguousarray(cv2.imdecode(packed, cv2.IMREAD_COLOR)[..., ::-1])
    return result
