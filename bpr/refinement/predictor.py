"""The interface that turns patches into probabilities. The refiner depends only on this protocol.

Legend: K patches, S window side, C channels of a patch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np

from bpr.geometry.alpha import soft_edges
from bpr.geometry.boundary import boundary_levels
from bpr.geometry.boxes import Box, expand
from bpr.geometry.masks import BoxMask
from bpr.geometry.options import Leaning, PatchSpec, RefineOptions
from bpr.geometry.patches import crop_mask, crop_window
from bpr.geometry.reassembly import Blended
from bpr.refinement.verdict.model import Verdict, VerdictModel

LARGEST_WEIGHT = 1e6
"""Larger than the scores of any detector, and far smaller than the largest float32."""


@dataclass(frozen=True, eq=False)
class Instance:
    """One instance to refine.

    Attributes:
        mask: the coarse mask.
        key: the caller's name for the instance, such as the index of its record.
        soft: (H, W) the detector's probability of every pixel, where there is one.
        score: the detector's score.
        level: how often the image was halved before the mask and the patches were made. ``soft`` is never halved.
        earlier: the verdict on what coarser levels changed, if they changed the mask.
    """

    mask: BoxMask
    key: Any = None
    soft: np.ndarray | None = None
    score: float = 1.0
    level: int = 0
    earlier: Verdict | None = None


@dataclass(frozen=True, eq=False)
class Settled:
    """One instance at the end.

    Attributes:
        mask: the refined mask.
        verdict: None without a verdict: all of the change was taken that the caution allows.
        leaning: how much of the change is taken; None: the mask is kept.
        blended: its patches.
    """

    mask: BoxMask
    verdict: Verdict | None
    leaning: Leaning | None
    blended: Blended

    def probability(self, box: Box) -> np.ndarray:
        """(h, w) float32: the mean probability in a box, as far as it is taken; above one half in the refined mask."""
        if self.leaning is None:
            return self.blended.mask.window(box).astype(np.float32)
        return self.blended.within(box, self.leaning)

    def alpha(self) -> np.ndarray:
        """(H, W) uint8: the mask with soft edges."""
        return soft_edges(self.blended, self.leaning, self.mask)


def weight_of(score: Any) -> float:
    """The weight of an instance in a budget, from the score of its record; 1 without a score that is a number.

    >>> [weight_of(score) for score in (0.25, -3, 1e300, None, "high", float("nan"))]
    [0.25, 0.0, 1000000.0, 1.0, 1.0, 1.0]
    """
    try:
        value = float(score)
    except (TypeError, ValueError, OverflowError):
        return 1.0
    return min(max(value, 0.0), LARGEST_WEIGHT) if math.isfinite(value) else 1.0


@dataclass(frozen=True)
class PatchBatch:
    """K patches of any instances of any images: ``patches`` (K, S, S, C) uint8, ``boxes`` (K, 4) without padding.

    Boxes are in pixels of the halved image where the level of an instance is not 0.
    """

    patches: np.ndarray
    boxes: np.ndarray
    instances: Sequence[Instance]

    def __len__(self) -> int:
        return len(self.patches)


class Predictor(Protocol):
    """The interface that the refiner needs from a network.

    Attributes:
        spec: how patches are to be cut.
        recommended: the options to refine with when the user chooses none.
        batch_size: how many patches come at once; the last batch may be smaller.
        verdict: decides how much of the change of a mask to take; None: this network has no verdict.
    """

    spec: PatchSpec
    recommended: RefineOptions
    batch_size: int
    verdict: VerdictModel | None

    def predict(self, batch: PatchBatch) -> np.ndarray:
        """(K, S, S) float32 P(foreground). The batch must not be written to: a user may ask to see it."""
        ...


class IdentityPredictor:
    """Answers with the coarse mask, so that refined masks equal coarse ones bit for bit: the test of the whole path."""

    verdict: VerdictModel | None = None

    def __init__(self, spec: PatchSpec | None = None, batch_size: int = 256) -> None:
        self.spec, self.recommended, self.batch_size = spec or PatchSpec(), RefineOptions(), batch_size

    def __repr__(self) -> str:
        return "identity"

    def predict(self, batch: PatchBatch) -> np.ndarray:
        return batch.patches[..., self.spec.channel_of("mask")].astype(np.float32) / 255


class OraclePredictor:
    """Answers with the ground truth: the upper bound of any refiner (paper, table 1).

    Args:
        truths: the true mask by instance key; instances without one stay as they are.
        reach: correct only pixels within this Euclidean distance of a coarse boundary pixel; None: whole patches.
        spec: how patches are cut.
    """

    verdict: VerdictModel | None = None

    def __init__(self, truths: Mapping[Any, BoxMask], reach: int | None = None, spec: PatchSpec | None = None) -> None:
        self.truths, self.reach, self.spec, self.batch_size = truths, reach, spec or PatchSpec(), 256
        # The oracle knows objects of any size.
        margin = max(RefineOptions.cover_margin, (reach or 0) + 1)
        self.recommended = RefineOptions(cover_margin=margin, object_size=None)

    def predict(self, batch: PatchBatch) -> np.ndarray:
        answers = [self._answer(instance, box) for instance, box in zip(batch.instances, batch.boxes.tolist(), strict=True)]
        return np.array(answers, np.float32)

    def _answer(self, instance: Instance, box: Box) -> np.ndarray:
        coarse, truth = crop_window(instance.mask, box, self.spec), self.truths.get(instance.key)
        if truth is None:
            return coarse
        known = crop_window(truth, box, self.spec)
        return known if self.reach is None else np.where(self._near(instance.mask, box, self.reach), known, coarse)

    def _near(self, mask: BoxMask, box: Box, reach: int) -> np.ndarray:
        """(S, S) bool: within ``reach`` image pixels of the boundary."""
        margin = reach + 2
        boundary = boundary_levels(crop_mask(mask, expand(self.spec.window_of(box), margin))) > 0
        distance = cv2.distanceTransform((~boundary).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        near = (distance[margin:-margin, margin:-margin] <= reach).view(np.uint8)
        return cv2.resize(near, (self.spec.window, self.spec.window), interpolation=cv2.INTER_NEAREST_EXACT).view(bool)
