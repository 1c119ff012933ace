import cv2
import numpy as np
import pytest

from bpr.geometry.contours import outline
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask


def test_an_empty_mask_has_no_outline() -> None:
    assert outline(BoxMask.from_frame(np.zeros((3, 4), bool))).shape == (0, 2)


def test_one_pixel_is_a_square() -> None:
    assert outline(BoxMask.from_frame(np.eye(1, 3, 2))).tolist() == [[2, 0], [2, 1], [3, 1], [3, 0]]


@pytest.mark.parametrize("seed", range(20))
def test_parts_and_holes_fill_to_the_very_mask(seed: int) -> None:
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.random((40, 50), np.float32), (0, 0), rng.uniform(0.6, 4))
    mask = BoxMask.from_frame(noise > np.median(noise))
    assert decode_mask([outline(mask).ravel().tolist()], mask.frame).equals(mask)
