import numpy as np
import pytest

from bpr.geometry.masks import BoxMask

L_SHAPE = np.array([[0, 0, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0]], bool)


def test_a_mask_is_cut_to_its_tight_box_and_comes_back() -> None:
    mask = BoxMask.from_frame(L_SHAPE)
    assert mask.box == (1, 1, 3, 3)
    assert mask.area == 3
    assert mask.bbox == [1.0, 1.0, 2.0, 2.0]
    assert np.array_equal(mask.to_frame(), L_SHAPE)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32])
def test_any_non_zero_value_is_foreground(dtype: type) -> None:
    assert np.array_equal(BoxMask.from_frame(L_SHAPE.astype(dtype) * 255).to_frame(), L_SHAPE)


def test_true_of_any_byte_is_foreground() -> None:
    """Pillow's images of mode 1 are bools whose True is the byte 255."""
    mask = np.array([[0, 255, 1]], np.uint8).view(bool)
    assert BoxMask.from_frame(mask).pixels.view(np.uint8).tolist() == [[1, 1]]


def test_an_empty_mask_has_an_empty_box_and_a_zero_bbox() -> None:
    mask = BoxMask.from_frame(np.zeros((3, 4), bool))
    assert mask.area == 0
    assert mask.bbox == [0.0] * 4
    assert mask.pixels.shape == (0, 0)
    assert not mask.to_frame().any()
    assert mask.to_frame().shape == (3, 4)


def test_a_frame_without_pixels_is_an_empty_mask() -> None:
    assert BoxMask.from_frame(np.zeros((0, 5), bool)).area == 0


def test_a_stack_of_masks_is_refused_with_its_shape() -> None:
    with pytest.raises(ValueError, match=r"\(H, W\).*\(1, 3, 4\)"):
        BoxMask.from_frame(L_SHAPE[None])


def test_a_window_may_reach_beyond_the_frame() -> None:
    window = BoxMask.from_frame(L_SHAPE).window((-1, 2, 3, 5))
    assert window.astype(int).tolist() == [[0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_every_window_equals_the_slice_of_the_padded_frame() -> None:
    rng = np.random.default_rng(0)
    frame = rng.random((9, 11)) < 0.3
    mask, padded = BoxMask.from_frame(frame), np.pad(frame, 20)
    for _ in range(200):
        x0, y0 = rng.integers(-10, 15, 2)
        width, height = rng.integers(0, 12, 2)
        assert np.array_equal(mask.window((x0, y0, x0 + width, y0 + height)), padded[y0 + 20 : y0 + height + 20, x0 + 20 : x0 + width + 20])


def test_a_window_is_a_copy() -> None:
    mask = BoxMask.from_frame(L_SHAPE)
    mask.window(mask.box)[:] = False
    assert mask.area == 3


def test_a_mask_is_a_copy_of_the_frame_and_holds_no_more_than_its_box() -> None:
    frame = np.zeros((500, 500), bool)
    frame[3:5, 3:5] = True
    mask = BoxMask.from_frame(frame)
    frame[:] = False
    assert mask.area == 4
    assert mask.pixels.base is None


def test_equal_pixels_in_loose_boxes_are_equal_masks() -> None:
    loose = BoxMask(L_SHAPE, 0, 0, (3, 4))
    assert loose.equals(BoxMask.from_frame(L_SHAPE))
    assert loose.bbox == [1.0, 1.0, 2.0, 2.0]
    assert not loose.equals(BoxMask(L_SHAPE, 1, 0, (3, 6)))
    assert not loose.equals(BoxMask(L_SHAPE, 0, 0, (3, 5)))
