"""Metrics inside a band along the true boundary: mBA (CascadePSP, CVPR 2020) and the IoU inside a trimap.

Legend: h w window. Only the box around the ground truth is processed; the results are the same as on the full frame.
"""

from __future__ import annotations

import cv2
import numpy as np

from bpr.evaluation.boundary_metrics import Mask, Overlap, boxed_pair, disk, gradient
from bpr.geometry.boxes import grow

RADII = 5
"""mBA is a mean over this many radii."""
BAND = 5
"""Half the width of the trimap, in pixels."""


def accuracy_radii(frame: tuple[int, int]) -> list[int]:
    """The five radii of mBA, in pixels, for a frame (H, W).

    >>> accuracy_radii((480, 854)), accuracy_radii((100, 100))
    ([1, 1, 2, 3, 3], [1, 1, 1, 1, 1])
    """
    reach = (sum(frame) / 300 - 1) / RADII
    return [1 + int(reach * step) for step in range(RADII)]


def band_accuracy(predicted: Mask, truth: Mask, radius: int) -> float:
    """The share of equal pixels where the true mask's gradient, by an ellipse 2 ``radius`` + 1 pixels wide, is set.

    It is 1 for a mask without a boundary, at which nothing is wrong.

    >>> truth = np.zeros((5, 5), bool); truth[:, :2] = True
    >>> band_accuracy(np.zeros((5, 5), bool), truth, 1)  # the band is columns 1 and 2; column 2 is correct
    0.5
    """
    prediction, target = boxed_pair(predicted, truth)
    window = grow(target.box, radius + 1, target.frame)
    region = gradient(target.window(window), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2))
    same, total = prediction.window(window) == target.window(window), int(np.count_nonzero(region))
    return int(np.count_nonzero(region & same)) / total if total else 1.0


def mean_boundary_accuracy(predicted: Mask, truth: Mask) -> float:
    """mBA of one object: the mean accuracy at :func:`accuracy_radii`; 1 without a true boundary."""
    frame = boxed_pair(predicted, truth)[1].frame
    by_radius = {radius: band_accuracy(predicted, truth, radius) for radius in set(accuracy_radii(frame))}
    return sum(by_radius[radius] for radius in accuracy_radii(frame)) / RADII


def trimap_overlap(predicted: Mask, truth: Mask, band: int = BAND) -> Overlap:
    """Counts of the IoU inside the trimap: the pixels at most ``band`` pixels from the other side of the true boundary.

    >>> truth = np.zeros((1, 8), bool); truth[:, :4] = True
    >>> trimap_overlap(np.roll(truth, 1, axis=1) | truth, truth, 2)  # the trimap is columns 2..5; column 4 is extra
    Overlap(intersection=2, union=3)
    """
    prediction, target = boxed_pair(predicted, truth)
    window = grow(target.box, band + 1, target.frame)
    region = gradient(target.window(window), disk(band))
    inside = prediction.window(window) & region, target.window(window) & region
    return Overlap(int(np.count_nonzero(inside[0] & inside[1])), int(np.count_nonzero(inside[0] | inside[1])))
