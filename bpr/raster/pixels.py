"""Raw samples of a window as the network sees them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bpr.errors import BadImage


def as_rgb(samples: np.ndarray, path: Path) -> np.ndarray:
    """(h, w, 3) uint8 RGB of (h, w, B) samples: 16 bits become 8, grey becomes RGB, and transparency is dropped.

    Raises:
        BadImage: neither 8 nor 16 bits, or more than four bands.
    """
    bands = samples.shape[2]
    if samples.dtype not in (np.uint8, np.uint16) or bands > 4:
        raise BadImage(f"{path}: expected 1 to 4 bands of 8 or 16 bits, got {bands} of {samples.dtype}; convert it to 8-bit RGB")
    colours = samples[..., :3] if bands > 2 else samples[..., :1].repeat(3, axis=2)
    return np.ascontiguousarray(colours if samples.dtype == np.uint8 else (colours >> 8).astype(np.uint8))
