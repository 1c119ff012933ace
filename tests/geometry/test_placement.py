import cv2
import numpy as np
import pytest

from bpr.geometry.boundary import boundary_pixels
from bpr.geometry.masks import BoxMask
from bpr.geometry.options import PatchSpec, Placement
from bpr.geometry.patches import patch_boxes


def blobs(seed: int, frame: tuple[int, int] = (180, 240)) -> BoxMask:
    noise = cv2.GaussianBlur(np.random.default_rng(seed).standard_normal(frame), (0, 0), 9)
    return BoxMask.from_frame(noise > 0.02)


def margins(boxes: np.ndarray, row: int, column: int, frame: tuple[int, int]) -> np.ndarray:
    """(K,) how far inside each box the pixel lies; sides that are the frame's do not count."""
    height, width = frame
    x0, y0, x1, y1 = boxes.T
    sides = ((column - x0, x0 == 0), (x1 - 1 - column, x1 == width), (row - y0, y0 == 0), (y1 - 1 - row, y1 == height))
    return np.min([np.where(at_frame & (inside >= 0), 10**6, inside) for inside, at_frame in sides], axis=0)


@pytest.mark.parametrize("nms_iou", [0.0, 0.25, 0.55])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_boundary_pixel_lies_well_inside_some_patch(seed: int, nms_iou: float) -> None:
    mask, placement = blobs(seed), Placement(nms_iou=nms_iou)
    boxes = patch_boxes(mask, PatchSpec(32), placement)
    for row, column in zip(*boundary_pixels(mask), strict=True):
        assert margins(boxes, row, column, mask.frame).max() >= placement.cover_margin


def test_patches_are_square_inside_the_frame_and_repeatable() -> None:
    mask = blobs(2)
    boxes = patch_boxes(mask, PatchSpec(32), Placement())
    assert boxes.dtype == np.int32
    assert (boxes[:, 2:] - boxes[:, :2] == 32).all()
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= [240, 180]).all()
    assert np.array_equal(boxes, patch_boxes(mask, PatchSpec(32), Placement()))


def test_a_higher_threshold_gives_more_patches() -> None:
    mask = blobs(3)
    counts = [len(patch_boxes(mask, PatchSpec(64), Placement(nms_iou=iou))) for iou in (0.15, 0.25, 0.55)]
    assert counts == sorted(counts)
    assert counts[0] < counts[2]


def test_no_boundary_no_patches() -> None:
    for mask in (np.zeros((90, 90), bool), np.ones((90, 90), bool)):
        assert patch_boxes(BoxMask.from_frame(mask), PatchSpec(64), Placement()).shape == (0, 4)


def test_one_pixel_gets_one_patch_around_it() -> None:
    mask = np.zeros((200, 200), bool)
    mask[100, 50] = True
    ((x0, y0, x1, y1),) = patch_boxes(BoxMask.from_frame(mask), PatchSpec(64), Placement()).tolist()
    assert x0 <= 49 < 52 <= x1
    assert y0 <= 99 < 102 <= y1


def test_patches_move_with_the_mask() -> None:
    mask = blobs(4)
    near = patch_boxes(BoxMask(mask.pixels, 1000, 1000, (4000, 4000)), PatchSpec(32), Placement())
    far = patch_boxes(BoxMask(mask.pixels, 1320, 1640, (4000, 4000)), PatchSpec(32), Placement())
    assert np.array_equal(near + np.array([320, 640, 320, 640]), far)


def test_a_cover_margin_too_large_for_the_side_is_refused() -> None:
    with pytest.raises(ValueError, match=r"cover_margin: expected 0\.\.7 whole pixels, got 8"):
        patch_boxes(blobs(0), PatchSpec(side=16), Placement(cover_margin=8))
