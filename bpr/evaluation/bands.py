"""Agreement in a band along the true boundary: mBA (CascadePSP, CVPR 2020) and the IoU inside a trimap.

Legend: h w window. Work is done inside boxes; the numbers are those of the full frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from bpr.evaluation.boundary_metrics import Mask, Overlap, boxed_pair, disk
from bpr.geometry.boxes import grow

RADII = 5
BAND = 5
"""Half width of the trimap in pixels."""


@dataclass(frozen=True)
class Agreement:
    """Pixels of a region on which both masks say the same, and all of its pixels."""

    right: int
    total: int

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(self.right + other.right, self.total + other.total)

    @property
    def accuracy(self) -> float:
        """1 in an empty region: nothing of it is wrong."""
        return self.right / self.total if self.total else 1.0


def accuracy_radii(frame: tuple[int, int]) -> list[int]:
    """The five radii of mBA in a frame (H, W).

    >>> accuracy_radii((480, 854)), accuracy_radii((100, 100))
    ([1, 1, 2, 3, 3], [1, 1, 1, 1, 1])
    """
    reach = (sum(frame) / 300 - 1) / RADII
    return [1 + int(reach * step) for step in range(RADII)]


def boundary_agreement(predicted: Mask, truth: Mask, radius: int) -> Agreement:
    """Agreement where the true mask's morphological gradient by an ellipse of 2 ``radius`` + 1 pixels is set.

    >>> truth = np.zeros((5, 5), bool); truth[:, :2] = True
    >>> boundary_agreement(np.zeros((5, 5), bool), truth, 1)  # columns 1 and 2; the second is right
    Agreement(right=5, total=10)
    """
    a, b = boxed_pair(predicted, truth)
    window = grow(b.box, radius + 1, b.frame)
    region = _gradient(b.window(window), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2))
    same = a.window(window) == b.window(window)
    return Agreement(int(np.count_nonzero(region & same)), int(np.count_nonzero(region)))


def mean_boundary_accuracy(predicted: Mask, truth: Mask) -> float:
    """mBA of one object: the mean accuracy at :func:`accuracy_radii`. Without a true boundary it is 1: there is nothing to judge."""
    frame = boxed_pair(predicted, truth)[1].frame
    by_radius = {radius: boundary_agreement(predicted, truth, radius).accuracy for radius in set(accuracy_radii(frame))}
    return sum(by_radius[radius] for radius in accuracy_radii(frame)) / RADII


def trimap_overlap(predicted: Mask, truth: Mask, band: int = BAND) -> Overlap:
    """Counts of the IoU inside the trimap: the pixels within ``band`` pixels of one on the other side of the true boundary.

    >>> truth = np.zeros((1, 8), bool); truth[:, :4] = True
    >>> trimap_overlap(np.roll(truth, 1, axis=1) | truth, truth, 2)  # columns 2..5; column 4 is too many
    Overlap(intersection=2, union=3)
    """
    a, b = boxed_pair(predicted, truth)
    window = grow(b.box, band + 1, b.frame)
    region = _gradient(b.window(window), disk(band))
    predicted_here, truth_here = a.window(window) & region, b.window(window) & region
    return Overlap(int(np.count_nonzero(predicted_here & truth_here)), int(np.count_nonzero(predicted_here | truth_here)))


def _gradient(mask: np.ndarray, element: np.ndarray) -> np.ndarray:
    """(h, w) bool: pixels that reach foreground and background; what lies beyond the window is neither."""
    if not mask.size:
        return mask
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, element).view(bool)
