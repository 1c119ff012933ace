"""How well two masks agree, overall and along their boundary.

Legend: H W frame, h w window. A mask is an (H, W) bool array or a :class:`BoxMask`. Only the boxes of the masks are
processed; the numbers are those of the full frame.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from bpr.geometry.boxes import enclosing, grow, intersect
from bpr.geometry.masks import BoxMask

Mask = np.ndarray | BoxMask


@dataclass(frozen=True)
class Overlap:
    """The pixels in both masks and the pixels in either."""

    intersection: int
    union: int

    @property
    def iou(self) -> float:
        """Intersection over union; 1 for two empty masks."""
        return self.intersection / self.union if self.union else 1.0


@dataclass(frozen=True)
class BoundaryCounts:
    """Boundary pixels of a prediction and of the truth, and how many of each are within the tolerance of the other."""

    predicted: int
    predicted_near: int
    truth: int
    truth_near: int

    @property
    def precision(self) -> float:
        """1 without a predicted boundary, in which nothing is wrong."""
        return self.predicted_near / self.predicted if self.predicted else 1.0

    @property
    def recall(self) -> float:
        """1 without a true boundary, of which nothing is missed."""
        return self.truth_near / self.truth if self.truth else 1.0

    @property
    def f(self) -> float:
        """Harmonic mean of precision and recall; 0 if both are 0."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def overlap(first: Mask, second: Mask) -> Overlap:
    """Counts of the mask IoU.

    Raises:
        ValueError: masks of different frames.

    >>> overlap(np.array([[1, 1, 0]], bool), np.array([[0, 1, 1]], bool))
    Overlap(intersection=1, union=3)
    """
    one, other = boxed_pair(first, second)
    common = intersect(one.box, other.box)
    touching = common[0] < common[2] and common[1] < common[3]
    shared = int(np.count_nonzero(one.window(common) & other.window(common))) if touching else 0
    return Overlap(shared, one.area + other.area - shared)


def boundary_map(mask: np.ndarray) -> np.ndarray:
    """(h, w) bool: pixels that differ from their right, lower or lower right neighbour (DAVIS 2016, section 5).

    The last row and column are repeated beyond the frame, so an object that leaves the frame has no boundary there.

    >>> mask = np.zeros((4, 5), bool); mask[1:3, 2:] = True
    >>> boundary_map(mask).astype(int)
    array([[0, 1, 1, 1, 1],
           [0, 1, 0, 0, 0],
           [0, 1, 1, 1, 1],
           [0, 0, 0, 0, 0]])
    """
    return gradient(mask, np.ones((2, 2), np.uint8), (0, 0))


def gradient(mask: np.ndarray, element: np.ndarray, anchor: tuple[int, int] = (-1, -1)) -> np.ndarray:
    """(h, w) bool: pixels around which the element covers both foreground and background.

    Args:
        anchor: column and row in the element that lie on the pixel, by default its centre.
    """
    if not mask.size:
        return mask
    return cv2.morphologyEx(np.ascontiguousarray(mask, np.uint8), cv2.MORPH_GRADIENT, element, anchor=anchor).view(bool)


def rim(mask: np.ndarray, element: np.ndarray, steps: int = 1) -> np.ndarray:
    """(h, w) bool: what ``steps`` erosions of the mask take away. What lies beyond its array is background."""
    pixels = np.ascontiguousarray(mask, np.uint8)
    return mask & (cv2.erode(pixels, element, iterations=steps, borderType=cv2.BORDER_CONSTANT, borderValue=0) == 0)


@lru_cache
def disk(radius: float) -> np.ndarray:
    """(2 radius + 1, 2 radius + 1) uint8: 1 for the pixels within ``radius`` pixels of the centre.

    >>> disk(2)
    array([[0, 0, 1, 0, 0],
           [0, 1, 1, 1, 0],
           [1, 1, 1, 1, 1],
           [0, 1, 1, 1, 0],
           [0, 0, 1, 0, 0]], dtype=uint8)
    """
    steps = np.arange(-int(radius), int(radius) + 1)
    return (steps[:, None] ** 2 + steps**2 <= radius**2).astype(np.uint8)


def tolerance_in_pixels(tolerance: float, frame: tuple[int, int]) -> float:
    """The tolerance in pixels: 1 or more is in pixels already, less is a share of the frame's diagonal and rounded up.

    Raises:
        ValueError: a tolerance that is not positive.

    >>> tolerance_in_pixels(2, (480, 854)), tolerance_in_pixels(0.00088, (1024, 2048))
    (2, 3)
    """
    if not tolerance > 0:
        raise ValueError(f"tolerance: expected pixels (>= 1) or a share of the diagonal (> 0), got {tolerance}")
    return tolerance if tolerance >= 1 else math.ceil(tolerance * math.hypot(*frame))


def boundary_counts(predicted: Mask, truth: Mask, tolerance: float = 2) -> BoundaryCounts:
    """The counts of the boundary F measure at ``tolerance`` (see :func:`tolerance_in_pixels`).

    Raises:
        ValueError: masks of different frames, a tolerance that is not positive.

    >>> bar = np.zeros((6, 6), bool); bar[:, :3] = True
    >>> boundary_counts(bar, np.roll(bar, 2, axis=1) | bar, tolerance=1).f
    0.0
    >>> boundary_counts(bar, np.roll(bar, 2, axis=1) | bar, tolerance=2).f
    1.0
    """
    return boundary_counts_at(predicted, truth, [tolerance])[0]


def boundary_counts_at(predicted: Mask, truth: Mask, tolerances: Sequence[float]) -> list[BoundaryCounts]:
    """:func:`boundary_counts` at every tolerance; the boundaries are found once."""
    prediction, target = boxed_pair(predicted, truth)
    # A boundary lies at most one pixel outside its mask, and dilations are read on boundaries only.
    boxes = [mask.box for mask in (prediction, target) if mask.pixels.size]
    window = grow(enclosing(np.array(boxes)), 1, prediction.frame) if boxes else (0, 0, 0, 0)
    edges = [boundary_map(mask.window(window)) for mask in (prediction, target)]
    radii = [tolerance_in_pixels(tolerance, prediction.frame) for tolerance in tolerances]
    totals = [int(np.count_nonzero(edge)) for edge in edges]
    near = {radius: _near(edges[0], edges[1], radius) for radius in dict.fromkeys(radii)}
    return [BoundaryCounts(totals[0], near[radius][0], totals[1], near[radius][1]) for radius in radii]


def _near(first: np.ndarray, second: np.ndarray, radius: float) -> tuple[int, int]:
    """How many pixels of the (h, w) ``first`` lie within ``radius`` of ``second``, and vice versa."""
    if not first.size:
        return 0, 0
    height, gap = len(first), int(radius)
    # Stacked with a gap that no dilation crosses, both need one dilation.
    both = np.zeros((2 * height + gap, first.shape[1]), np.uint8)
    both[:height], both[height + gap :] = first, second
    dilated = cv2.dilate(both, disk(radius)).view(bool)
    return int(np.count_nonzero(dilated[height + gap :] & first)), int(np.count_nonzero(dilated[:height] & second))


def boundary_width(frame: tuple[int, int], ratio: float = 0.02) -> int:
    """The width in pixels of a :func:`boundary_band`: ``ratio`` of the diagonal of the frame (H, W), at least 1.

    >>> boundary_width((480, 640)), boundary_width((20, 20))
    (16, 1)
    """
    return max(1, round(ratio * math.hypot(*frame)))


def boundary_band(mask: Mask, width: int) -> BoxMask:
    """The mask's pixels within ``width`` pixels (chessboard) of its outside (Boundary IoU, CVPR 2021, section 4).

    Everything beyond the frame is outside.

    >>> boundary_band(np.ones((4, 5), bool), 1).to_frame().astype(int)
    array([[1, 1, 1, 1, 1],
           [1, 0, 0, 0, 1],
           [1, 0, 0, 0, 1],
           [1, 1, 1, 1, 1]])
    """
    box = _boxed(mask)
    if not box.pixels.size:
        return box
    return BoxMask(rim(box.pixels, np.ones((3, 3), np.uint8), width), box.left, box.top, box.frame)


def boundary_overlap(first: Mask, second: Mask, ratio: float = 0.02) -> Overlap:
    """The counts of the Boundary IoU, which is the IoU of the two bands inside the boundaries.

    Raises:
        ValueError: masks of different frames.

    >>> boundary_overlap(np.ones((4, 5), bool), np.ones((4, 5), bool))
    Overlap(intersection=14, union=14)
    """
    one, other = boxed_pair(first, second)
    width = boundary_width(one.frame, ratio)
    return overlap(boundary_band(one, width), boundary_band(other, width))


def _boxed(mask: Mask) -> BoxMask:
    return mask if isinstance(mask, BoxMask) else BoxMask.from_frame(mask)


def boxed_pair(first: Mask, second: Mask) -> tuple[BoxMask, BoxMask]:
    """Both masks as BoxMasks; a ValueError if their frames differ."""
    one, other = _boxed(first), _boxed(second)
    if one.frame != other.frame:
        raise ValueError(f"masks: expected one frame, got {one.frame} and {other.frame} (height, width)")
    return one, other
