"""mBA and trimap IoU against hand-worked numbers."""

from __future__ import annotations

import numpy as np
import pytest

from bpr.evaluation.bands import accuracy_radii, band_accuracy, mean_boundary_accuracy, trimap_overlap
from bpr.evaluation.boundary_metrics import Overlap
from bpr.geometry.masks import BoxMask

EMPTY, FULL = np.zeros((9, 9), bool), np.ones((9, 9), bool)
DOT = np.zeros((9, 9), bool)
DOT[4, 4] = True


def half(columns: int) -> np.ndarray:
    mask = np.zeros((9, 9), bool)
    mask[:, :columns] = True
    return mask


def test_radii_grow_with_the_image() -> None:
    # (640 + 480) / 300 - 1 = 2.73; fifths of it: 0, .55, 1.09, 1.64, 2.19.
    assert accuracy_radii((480, 640)) == [1, 1, 2, 2, 3]
    # (2048 + 1024) / 300 - 1 = 9.24: 0, 1.85, 3.70, 5.54, 7.39.
    assert accuracy_radii((1024, 2048)) == [1, 2, 4, 6, 8]


def test_agreement_by_hand() -> None:
    # The gradient of columns 0..3 by the 3x3 cross is columns 3 and 4, 18 px; one column more is wrong in column 4.
    assert band_accuracy(half(5), half(4), 1) == 9 / 18
    # By radius 2: columns 2..5, 36 px, 27 of them right.
    assert band_accuracy(half(5), half(4), 2) == 27 / 36
    # 18 / 300 - 1 is below 0: every radius is 1.
    assert mean_boundary_accuracy(half(5), half(4)) == 0.5


def test_one_pixel() -> None:
    # The cross around the pixel: 5 px. Without it, 4 of them are right.
    assert band_accuracy(EMPTY, DOT, 1) == 4 / 5
    assert trimap_overlap(DOT, DOT, 2) == Overlap(1, 1)
    assert trimap_overlap(EMPTY, DOT, 2) == Overlap(0, 1)


@pytest.mark.parametrize("truth", [EMPTY, FULL])
def test_no_true_boundary_is_no_mistake(truth: np.ndarray) -> None:
    assert mean_boundary_accuracy(DOT, truth) == 1
    assert trimap_overlap(DOT, truth).iou == 1


def test_trimap_by_hand() -> None:
    # Band of 2 px around columns 0..3: columns 2..5. The prediction has 2..4 of it, the truth 2..3.
    assert trimap_overlap(half(5), half(4), 2) == Overlap(18, 27)
    # What is wrong beyond the band does not count.
    far = half(4)
    far[:, 8] = True
    assert trimap_overlap(far, half(4), 2).iou == 1


def test_boxes_change_nothing() -> None:
    random = np.random.default_rng(0)
    for _ in range(5):
        predicted, truth = (np.pad(random.random((20, 30)) > 0.4, 9) for _ in range(2))
        boxed = BoxMask.from_frame(truth)
        whole = BoxMask(truth, 0, 0, (38, 48))
        assert trimap_overlap(predicted, boxed, 3) == trimap_overlap(predicted, whole, 3)
        assert band_accuracy(predicted, boxed, 3) == band_accuracy(predicted, whole, 3)
