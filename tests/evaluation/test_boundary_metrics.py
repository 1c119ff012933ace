"""Boundary metrics against hand-worked numbers and against plain full-frame versions of the definitions."""

import math
from itertools import pairwise

import cv2
import numpy as np
import pytest

from bpr.evaluation import boundary_metrics
from bpr.evaluation.boundary_metrics import (
    BoundaryCounts,
    Overlap,
    boundary_counts,
    boundary_map,
    boundary_overlap,
    boundary_width,
    overlap,
)
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, encode_mask


def picture(*rows: str) -> np.ndarray:
    return np.array([[pixel == "#" for pixel in row] for row in rows])


def random_masks(count: int) -> list[np.ndarray]:
    """Blobs, noise, empty and full frames, many of them touching the edges."""
    random = np.random.default_rng(7)
    masks = [np.zeros((31, 44), bool), np.ones((31, 44), bool)]
    for index in range(count):
        noise = random.random((31, 44)).astype(np.float32)
        smooth = cv2.GaussianBlur(noise, (0, 0), 1 + index % 4)
        masks.append(smooth > np.quantile(smooth, random.uniform(0.3, 0.98)))
        masks.append(np.roll(masks[-1], tuple(random.integers(-2, 3, 2)), (0, 1)))
    return masks


def full_frame_boundary(mask: np.ndarray) -> set[tuple[int, int]]:
    height, width = mask.shape
    found = set()
    for row in range(height):
        for column in range(width):
            below, right = min(row + 1, height - 1), min(column + 1, width - 1)
            if len({bool(mask[r, c]) for r in (row, below) for c in (column, right)}) == 2:
                found.add((row, column))
    return found


def full_frame_counts(predicted: np.ndarray, truth: np.ndarray, radius: float) -> BoundaryCounts:
    a, b = (np.array(sorted(full_frame_boundary(mask))).reshape(-1, 2) for mask in (predicted, truth))
    near = ((a[:, None] - b[None]) ** 2).sum(axis=-1) <= radius**2
    return BoundaryCounts(len(a), int(near.any(axis=1).sum()), len(b), int(near.any(axis=0).sum()))


def full_frame_band(mask: np.ndarray, width: int) -> np.ndarray:
    eroded = np.pad(mask, 1)
    for _ in range(width):
        wide = np.pad(eroded, 1, mode="edge")
        eroded = np.lib.stride_tricks.sliding_window_view(wide, (3, 3)).all(axis=(2, 3))
    return mask & ~eroded[1:-1, 1:-1]


def test_overlap_by_hand() -> None:
    first = picture("##..", "##..", "....")
    second = picture(".##.", ".##.", "....")
    assert overlap(first, second) == Overlap(2, 6)  # column 1 is shared, columns 0..2 are held
    assert overlap(first, second).iou == 1 / 3
    assert overlap(first, picture("...#", "....", "....")).iou == 0
    assert overlap(np.zeros((3, 4), bool), np.zeros((3, 4), bool)).iou == 1
    assert overlap(first, np.zeros((3, 4), bool)).iou == 0


def test_one_pixel_has_four_boundary_pixels() -> None:
    # The pixel itself differs from its neighbours; the pixels left, above and upper left differ from it.
    assert np.array_equal(boundary_map(picture("....", "..#.", "....")), picture(".##.", ".##.", "...."))
    assert np.array_equal(
        boundary_map(picture("#..", "...")), picture("#..", "...")
    )  # nothing lies left of or above it
    # In the last corner the edge repeats, so the pixel itself is no boundary: three pixels are.
    assert np.array_equal(boundary_map(picture("...", "..#")), picture(".##", ".#."))


def test_boundary_f_by_hand() -> None:
    predicted = picture("##....", "##....", "##....")  # boundary: column 1, three pixels
    truth = picture("####..", "####..", "##....")
    # Truth's boundary: row 0 column 3; row 1 columns 1 (its lower right is off), 2, 3; row 2 column 1: five pixels.
    assert np.argwhere(boundary_map(truth)).tolist() == [[0, 3], [1, 1], [1, 2], [1, 3], [2, 1]]
    # Within 1 px: predicted (0,1), (1,1), (2,1) all lie by (1,1) or (2,1); truth (1,1), (1,2), (2,1) lie by column 1.
    counts = boundary_counts(predicted, truth, 1)
    assert counts == BoundaryCounts(3, 3, 5, 3)
    assert counts.f == pytest.approx(2 * 1 * 0.6 / 1.6)
    assert boundary_counts(predicted, truth, 2).f == 1  # the last two, in column 3, are 2 px away


def test_boundary_f_of_empty_masks() -> None:
    empty, dot = np.zeros((5, 5), bool), picture(".....", ".....", "..#..", ".....", ".....")
    both, no_prediction, no_truth = (
        boundary_counts(empty, empty),
        boundary_counts(empty, dot),
        boundary_counts(dot, empty),
    )
    assert (both.precision, both.recall, both.f) == (1, 1, 1)
    assert (no_prediction.precision, no_prediction.recall, no_prediction.f) == (1, 0, 0)
    assert (no_truth.precision, no_truth.recall, no_truth.f) == (0, 1, 0)
    # A full frame has no boundary, and counts as an empty one.
    assert boundary_counts(np.ones((5, 5), bool), empty).f == 1
    nothing = np.zeros((0, 0), bool)
    assert boundary_counts(nothing, nothing).f == overlap(nothing, nothing).iou == 1


def test_boundary_iou_by_hand() -> None:
    # 8x8 frame: d = max(1, round(.02 * 11.3)) = 1. The band of a 4x4 square is 16 - 4 = 12 pixels.
    first, second = np.zeros((8, 8), bool), np.zeros((8, 8), bool)
    first[1:5, 1:5] = True
    second[1:5, 2:6] = True
    # Shared: rows 1 and 4, columns 2..4 (6 pixels); between them column 2 is inside of the first, column 4 of the
    # second.
    assert boundary_overlap(first, second) == Overlap(6, 18)
    assert boundary_overlap(first, np.zeros((8, 8), bool)).iou == 0
    assert boundary_overlap(np.zeros((8, 8), bool), np.zeros((8, 8), bool)).iou == 1


@pytest.mark.parametrize("tolerance", [1, 2, 3, 0.05])
def test_boundary_counts_equal_the_full_frame(tolerance: float) -> None:
    radius = tolerance if tolerance >= 1 else math.ceil(tolerance * math.hypot(31, 44))
    masks = random_masks(8)
    for predicted, truth in zip(masks, masks[1:] + masks[:1], strict=True):
        assert boundary_counts(predicted, truth, tolerance) == full_frame_counts(predicted, truth, radius)


@pytest.mark.parametrize("ratio", [0.005, 0.02, 0.1, 0.4])
def test_boundary_overlap_equals_the_full_frame(ratio: float) -> None:
    masks = random_masks(8)
    width = boundary_width((31, 44), ratio)
    for first, second in zip(masks, masks[1:] + masks[:1], strict=True):
        a, b = full_frame_band(first, width), full_frame_band(second, width)
        assert boundary_overlap(first, second, ratio) == Overlap(int((a & b).sum()), int((a | b).sum()))


def test_the_box_of_a_mask_does_not_matter() -> None:
    masks = random_masks(3)
    for first, second in pairwise(masks):
        loose = BoxMask(first, 0, 0, first.shape)  # the whole frame as the box
        for metric in (overlap, boundary_overlap, boundary_counts):
            assert metric(loose, second) == metric(first, BoxMask.from_frame(second))


def test_bands_agree_with_faster_coco_eval() -> None:
    mask_api = pytest.importorskip("faster_coco_eval.core.mask")
    random = np.random.default_rng(0)
    for _ in range(8):
        smooth = cv2.GaussianBlur(random.random((160, 213)).astype(np.float32), (0, 0), 9)
        mask = BoxMask.from_frame(smooth > np.quantile(smooth, 0.7))
        theirs = mask_api.rleToBoundary(encode_mask(mask), 0.02)
        counts = theirs["counts"]
        theirs = decode_mask({"size": list(theirs["size"]), "counts": counts})
        assert boundary_metrics.boundary_band(mask, boundary_width(mask.frame)).equals(theirs)


def test_bad_arguments() -> None:
    dot = np.ones((1, 1), bool)
    with pytest.raises(ValueError, match="expected one frame"):
        overlap(dot, np.ones((1, 2), bool))
    with pytest.raises(ValueError, match="tolerance"):
        boundary_counts(dot, dot, 0)
