"""What turns patches into probabilities. The refiner knows only this protocol.

Legend: K patches, S window side, C channels of the predictor's scheme.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np

from bpr.geometry.boundary import boundary_levels
from bpr.geometry.boxes import Box, expand
from bpr.geometry.masks import BoxMask
from bpr.geometry.patches import crop_mask, crop_window
from bpr.geometry.scheme import PatchScheme

MOST = 1e6
"""Beyond every scale of scores, and far inside what float32 can hold."""


@dataclass(frozen=True, eq=False)
class Instance:
    """One instance to refine: its coarse mask, the caller's name for it (the record's index, say), and how sure the
    detector was: of every pixel, (H, W) floats in [0, 1], and of the instance, where it said so.
    """

    mask: BoxMask
    key: Any = None
    soft: np.ndarray | None = None
    score: float = 1.0


def weight_of(score: Any) -> float:
    """What an instance counts for by the score that came with its mask; without one, or with none that is a number, fully.

    >>> [weight_of(score) for score in (0.25, -3, 1e300, None, "high", float("nan"))]
    [0.25, 0.0, 1000000.0, 1.0, 1.0, 1.0]
    """
    try:
        value = float(score)
    except (TypeError, ValueError, OverflowError):
        return 1.0
    return min(max(value, 0.0), MOST) if math.isfinite(value) else 1.0


@dataclass(frozen=True)
class PatchBatch:
    """K patches of any instances of any images: ``patches`` (K, S, S, C) uint8, ``boxes`` (K, 4) without padding."""

    patches: np.ndarray
    boxes: np.ndarray
    instances: Sequence[Instance]

    def __len__(self) -> int:
        return len(self.patches)


class Predictor(Protocol):
    """``scheme`` says how patches are to be cut, ``batch_size`` how many come at once (fewer only at the end)."""

    scheme: PatchScheme
    batch_size: int

    def predict(self, batch: PatchBatch) -> np.ndarray:
        """(K, S, S) float32 P(foreground). The batch is not to be written to: it may be what the user asks to see."""
        ...


class IdentityPredictor:
    """Believes the coarse mask. What comes out equals what went in, bit for bit: the test of the whole path."""

    def __init__(self, scheme: PatchScheme | None = None, batch_size: int = 256) -> None:
        self.scheme = scheme or PatchScheme()
        self.batch_size = batch_size

    def predict(self, batch: PatchBatch) -> np.ndarray:
        return batch.patches[..., 3].astype(np.float32) / 255


class OraclePredictor:
    """Knows the ground truth: the upper bound of any refiner (paper, table 1).

    Args:
        truths: the true mask by instance key; instances without one stay as they are.
        reach: correct only pixels within this Euclidean distance of a coarse boundary pixel; None: whole patches.
    """

    def __init__(self, truths: Mapping[Any, BoxMask], reach: int | None = None, scheme: PatchScheme | None = None) -> None:
        self.truths, self.reach = truths, reach
        self.scheme = scheme or PatchScheme(cover_margin=max(PatchScheme.cover_margin, (reach or 0) + 1))
        self.batch_size = 256

    def predict(self, batch: PatchBatch) -> np.ndarray:
        answers = [self._answer(instance, box) for instance, box in zip(batch.instances, batch.boxes.tolist(), strict=True)]
        return np.array(answers, np.float32)

    def _answer(self, instance: Instance, box: Box) -> np.ndarray:
        coarse, truth = crop_window(instance.mask, box, self.scheme), self.truths.get(instance.key)
        if truth is None:
            return coarse
        known = crop_window(truth, box, self.scheme)
        return known if self.reach is None else np.where(self._near(instance.mask, box, self.reach), known, coarse)

    def _near(self, mask: BoxMask, box: Box, reach: int) -> np.ndarray:
        """(S, S) bool: within ``reach`` image pixels of the boundary."""
        margin = reach + 2
        boundary = boundary_levels(crop_mask(mask, expand(self.scheme.window_of(box), margin))) > 0
        distance = cv2.distanceTransform((~boundary).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        near = (distance[margin:-margin, margin:-margin] <= reach).view(np.uint8)
        return cv2.resize(near, (self.scheme.window, self.scheme.window), interpolation=cv2.INTER_NEAREST_EXACT).view(bool)
