"""How far apart the boundaries of two masks lie, and what shape a mask has.

NSD, HD95 and ASSD are those of Metrics Reloaded (Nature Methods 2024); the weighted F-measure is that of Margolin et al.
(CVPR 2014). Legend: H W frame, h w window. The numbers are those of the full frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from bpr.evaluation.boundary_metrics import Mask, boxed_pair, rim
from bpr.geometry.boxes import enclosing, grow

NSD_TOLERANCE = 2
"""The tolerance of the NSD, in pixels."""
PERCENTILE = 95
CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
SMOOTHING = 7, 5.0
"""Side and sigma, in pixels, of the Gaussian over which the weighted F-measure spreads errors inside the object."""
HALVING = 5.0
"""Pixels from the object over which the additional weight of a false positive, 1 far away, reaches one half."""


@dataclass(frozen=True)
class SurfaceFit:
    """How well two surfaces agree. A surface is the pixels of a mask that have one of four neighbours outside of it.

    What lies beyond the frame is outside. Where only one of the masks is empty, every distance is the frame's diagonal.

    Attributes:
        nsd: share of the pixels of both surfaces that lie within NSD_TOLERANCE of the other one.
        hd95: the larger of the two directed 95th percentiles of the distance, in pixels.
        assd: mean distance of the pixels of both surfaces from the other one, in pixels.
    """

    nsd: float
    hd95: float
    assd: float


def surface_fit(predicted: Mask, truth: Mask) -> SurfaceFit:
    """Compare the surfaces of two masks.

    Raises:
        ValueError: masks of different frames.

    >>> bar = np.zeros((1, 9), bool); bar[:, :3] = True
    >>> surface_fit(np.roll(bar, 3, axis=1), bar)  # distances 3 2 1 and 1 2 3
    SurfaceFit(nsd=0.6666666666666666, hd95=2.9, assd=2.0)
    """
    pair = boxed_pair(predicted, truth)
    if not all(mask.area for mask in pair):
        distance = 0.0 if pair[0].area == pair[1].area else math.hypot(*pair[0].frame)
        return SurfaceFit(float(not distance), distance, distance)
    window = enclosing(np.array([mask.box for mask in pair]))
    surfaces = [rim(mask.window(window), CROSS) for mask in pair]
    distances = [_distance_to(surfaces[1])[surfaces[0]], _distance_to(surfaces[0])[surfaces[1]]]
    both = np.concatenate(distances)
    furthest = max(float(np.percentile(part, PERCENTILE)) for part in distances)
    return SurfaceFit(float((both <= NSD_TOLERANCE).mean()), furthest, float(both.mean()))


def _distance_to(places: np.ndarray) -> np.ndarray:
    """(h, w) float64: the distance in pixels to the nearest of the (h, w) bool places, of which there are some."""
    exact = cv2.distanceTransform((~places).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # The square of a distance between pixels is a whole number, which takes the error of 32 bits away.
    return np.sqrt(np.rint(exact.astype(np.float64) ** 2))


def count_parts(mask: Mask) -> int:
    """How many parts the mask has; pixels that touch at a corner are connected.

    >>> count_parts(np.eye(3, dtype=bool)), count_parts(np.zeros((3, 3), bool))
    (1, 0)
    """
    box = boxed_pair(mask, mask)[0]
    return _components(box.pixels, 8) if box.area else 0


def count_holes(mask: Mask) -> int:
    """How many parts of the background the mask encloses; pixels that touch at a corner are not connected.

    >>> ring = np.ones((3, 5), bool); ring[1, 1] = ring[1, 3] = False
    >>> count_holes(ring), count_holes(~ring)
    (2, 0)
    """
    box = boxed_pair(mask, mask)[0]
    return _components(np.pad(~box.pixels, 1, constant_values=True), 4) - 1


def _components(places: np.ndarray, neighbours: int) -> int:
    return cv2.connectedComponents(np.ascontiguousarray(places, np.uint8), connectivity=neighbours)[0] - 1


def weighted_f(predicted: Mask, truth: Mask) -> float:
    """The weighted F-measure (beta^2 = 1): errors weigh less inside the object next to what was found, more far outside.

    It is 1 for two empty masks and 0 where only one of them is empty.

    Raises:
        ValueError: masks of different frames.
    """
    prediction, target = boxed_pair(predicted, truth)
    if not prediction.area or not target.area:
        return float(prediction.area == target.area)
    reach = SMOOTHING[0] // 2
    window = grow(enclosing(np.array([prediction.box, target.box])), reach, target.frame)
    true = target.window(window)
    errors = (prediction.window(window) != true).astype(np.float64)
    labels = cv2.distanceTransformWithLabels((~true).view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)[1]
    of_nearest = np.zeros(int(labels.max()) + 1)
    of_nearest[labels[true]] = errors[true]
    side, sigma = SMOOTHING
    smooth = cv2.GaussianBlur(of_nearest[labels], (side, side), sigma, borderType=cv2.BORDER_CONSTANT)
    inside = np.minimum(errors, smooth)[true]
    outside = (errors * (2 - 0.5 ** (_distance_to(true) / HALVING)))[~true]
    hits, false = target.area - inside.sum(), outside.sum()
    recall, precision = 1 - inside.mean(), hits / (hits + false) if hits else 0.0
    return float(2 * precision * recall / (precision + recall)) if hits else 0.0
