"""Why a refined mask got worse (supplement, section F): the object is tiny, the mask leaks, the true boundary is far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np

from bpr.evaluation.boundary_metrics import boundary_map
from bpr.geometry.boxes import enclosing, grow
from bpr.geometry.masks import BoxMask
from bpr.report.analyses.gallery import Gallery, View

Reason = Literal["tiny", "leak", "far boundary", "other"]
REASONS: tuple[Reason, ...] = ("tiny", "leak", "far boundary", "other")
FAR = 16
"""Pixels: a quarter of the paper's patch, so that the true boundary lies in the outer half of the patches, or in none."""
FAR_SHARE = 0.1
LEAK_SHARE = 0.5
TOUCH = 2
"""Pixels between a mask that was too large already and what grew there."""


def reason(view: View) -> Reason:
    """The first of these rules that holds:

    - ``tiny``: the true object is small by COCO's word (below 32^2 pixels);
    - ``leak``: at least half of the pixels that refinement got wrong were added, on another annotated object or where
      the coarse mask was too large already (at most TOUCH pixels away): a mistake that refinement made larger;
    - ``far boundary``: more than a tenth of the true boundary is farther than FAR pixels from the coarse one;
    - ``other``: none of them, for example a truth that is coarser than the object.
    """
    if view.row.size == "small":
        return "tiny"
    if leak_share(view) >= LEAK_SHARE:
        return "leak"
    return "far boundary" if far_share(view.coarse, view.truth) > FAR_SHARE else "other"


def far_share(coarse: BoxMask, truth: BoxMask) -> float:
    """Share of the true boundary's pixels that are farther than FAR from the coarse boundary; 0 without a true boundary."""
    window = grow(enclosing(np.array([coarse.box, truth.box])), 1, truth.frame)
    near, edge = (boundary_map(mask.window(window)) for mask in (coarse, truth))
    if not edge.any():
        return 0.0
    if not near.any():
        return 1.0
    distance = cv2.distanceTransform((~near).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float((distance[edge] > FAR).mean())


def leak_share(view: View) -> float:
    """Share of the pixels right before and wrong after that leaked; 0 where there is none."""
    window = grow(enclosing(np.array([mask.box for mask in (view.coarse, view.refined, view.truth)])), TOUCH + 1, view.truth.frame)
    coarse, refined, truth = (mask.window(window) for mask in (view.coarse, view.refined, view.truth))
    spoilt = (coarse == truth) & (refined != truth)
    if not spoilt.any():
        return 0.0
    too_large = cv2.dilate((coarse & ~truth).astype(np.uint8), np.ones((2 * TOUCH + 1,) * 2, np.uint8)) > 0
    # What grew is one thing with what it touches.
    count, parts = cv2.connectedComponents((spoilt & refined).astype(np.uint8), connectivity=8)
    touching = np.isin(parts, np.unique(parts[too_large & (parts > 0)])) & (parts > 0) if count > 1 else np.zeros_like(spoilt)
    on_another = np.any([mask.window(window) for mask in view.neighbours], axis=0) if view.neighbours else np.zeros_like(spoilt)
    return float((spoilt & refined & (touching | on_another)).sum() / spoilt.sum())


def count_reasons(gallery: Gallery, indices: Sequence[int]) -> dict[str, int]:
    """How many of the pairs are in each class."""
    counts = Counter(reason(gallery.view(index)) for index in indices)
    return {name: counts[name] for name in REASONS}


def harmed(gallery: Gallery, least: float = 0.0) -> list[int]:
    """The pairs that lost more than ``least`` of IoU, the worst first."""
    return [index for index in gallery.by_gain() if gallery.rows[index].gain < -least]


def markdown(pairs: int, reasons: dict[str, int]) -> str:
    """How many of the pairs that lost more than one point of IoU are in each class."""
    lines = [f"| {name} | {count} |" for name, count in reasons.items()]
    said = f"{sum(reasons.values())} of {pairs} pairs lost more than one point of IoU."
    return "\n".join([said, "", "| reason | pairs |", "|---|---:|", *lines]) + "\n"
