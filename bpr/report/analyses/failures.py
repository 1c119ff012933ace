"""Why refinement harmed a mask (supplement, section F): a tiny object, a leak, or a true boundary far away."""

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
"""Pixels: a quarter of the paper's patch. A boundary farther away lies in the outer half of patches, or in none."""
FAR_SHARE = 0.1
"""The true boundary is far if more than this share of its pixels is."""
LEAK_SHARE = 0.5
"""A mask leaks if at least this share of its new errors does."""
TOUCH = 2
"""Added pixels at most this many pixels from a part that was already too large belong to it."""


def reason(view: View) -> Reason:
    """The first rule that applies:

    - ``tiny``: the true object is small (below 32^2 pixels).
    - ``leak``: at least half of the pixels that became wrong were added on another annotated object, or next to a part
      of the coarse mask that was already too large (at most TOUCH pixels away).
    - ``far boundary``: more than a tenth of the true boundary is farther than FAR pixels from the coarse boundary.
    - ``other``: none of these; for example, the ground truth is less exact than the refined mask.
    """
    if view.row.size == "small":
        return "tiny"
    if leak_share(view) >= LEAK_SHARE:
        return "leak"
    return "far boundary" if far_share(view.coarse, view.truth) > FAR_SHARE else "other"


def far_share(coarse: BoxMask, truth: BoxMask) -> float:
    """The share of the true boundary that is farther than FAR from the coarse boundary; 0 without a true boundary."""
    window = grow(enclosing(np.array([coarse.box, truth.box])), 1, truth.frame)
    near, edge = (boundary_map(mask.window(window)) for mask in (coarse, truth))
    if not edge.any():
        return 0.0
    if not near.any():
        return 1.0
    distance = cv2.distanceTransform((~near).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float((distance[edge] > FAR).mean())


def leak_share(view: View) -> float:
    """Of the pixels that were right before and wrong after refinement, the share that leaked; 0 if there are none."""
    masks = (view.coarse, view.refined, view.truth)
    window = grow(enclosing(np.array([mask.box for mask in masks])), TOUCH + 1, view.truth.frame)
    coarse, refined, truth = (mask.window(window) for mask in masks)
    worsened = (coarse == truth) & (refined != truth)
    if not worsened.any():
        return 0.0
    too_large = cv2.dilate((coarse & ~truth).astype(np.uint8), np.ones((2 * TOUCH + 1,) * 2, np.uint8)) > 0
    # A connected part of the added pixels leaks as a whole if it touches a part that was too large.
    _, parts = cv2.connectedComponents((worsened & refined).astype(np.uint8), connectivity=8)
    leaked = np.isin(parts, np.unique(parts[too_large & (parts > 0)]))
    for neighbour in view.neighbours:
        leaked |= neighbour.window(window)
    return float((worsened & refined & leaked).sum() / worsened.sum())


def count_reasons(gallery: Gallery, indices: Sequence[int]) -> dict[str, int]:
    """How many of the pairs have each reason."""
    counts = Counter(reason(gallery.view(index)) for index in indices)
    return {name: counts[name] for name in REASONS}


def harmed(gallery: Gallery, least: float = 0.0) -> list[int]:
    """The pairs whose IoU fell by more than ``least``, the worst first."""
    return [index for index in gallery.by_gain() if gallery.rows[index].gain < -least]


def markdown(pairs: int, reasons: dict[str, int]) -> str:
    """A table of the reasons of the pairs that lost more than one point of IoU."""
    lines = [f"| {name} | {count} |" for name, count in reasons.items()]
    summary = f"{sum(reasons.values())} of {pairs} pairs lost more than one point of IoU."
    return "\n".join([summary, "", "| reason | pairs |", "|---|---:|", *lines]) + "\n"
