from itertools import pairwise
from typing import get_args

import numpy as np
import pytest

from bpr.geometry.masks import BoxMask
from bpr.geometry.options import Blend, PatchSpec, Placement
from bpr.geometry.patches import crop_patches, patch_boxes
from bpr.geometry.reassembly import Blended

BLENDS, SPEC = get_args(Blend), PatchSpec()


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)


def disc(frame: tuple[int, int], row: float, column: float, radius: float) -> BoxMask:
    rows, columns = np.mgrid[: frame[0], : frame[1]]
    return BoxMask.from_frame((rows - row) ** 2 + (columns - column) ** 2 < radius**2)


def test_a_patch_is_the_image_and_the_mask_under_its_box(image: np.ndarray) -> None:
    mask, spec = disc((60, 80), 30, 40, 15), PatchSpec(side=16)
    (patch,) = crop_patches(image, mask, np.array([[30, 20, 46, 36]]), spec)
    assert np.array_equal(patch[..., :3], image[20:36, 30:46])
    assert np.array_equal(patch[..., 3], mask.to_frame()[20:36, 30:46] * 255)


def test_an_image_or_a_place_of_another_shape_is_refused(image: np.ndarray) -> None:
    mask, spec, boxes = disc((60, 80), 30, 40, 15), PatchSpec(side=16), np.array([[30, 20, 46, 36]])
    for wrong in (image[:50], image.astype(np.uint16), image[..., :2]):
        with pytest.raises(ValueError, match=r"image: expected \(60, 80, 3\) uint8"):
            crop_patches(wrong, mask, boxes, spec)
    for out in (np.empty((2, 16, 16, 4), np.uint8), np.empty((1, 16, 16, 3), np.uint8)):
        with pytest.raises(ValueError, match=r"out: expected \(1, 16, 16, 4\) uint8"):
            crop_patches(image, mask, boxes, spec, out)
    with pytest.raises(ValueError, match="expected one square for each of 1 boxes"):
        Blended.of(mask, boxes, np.zeros((2, 16, 16), np.float32), spec, "mean").refined()


def test_padding_adds_context_on_every_side(image: np.ndarray) -> None:
    mask, spec = disc((60, 80), 30, 40, 15), PatchSpec(side=16, padding=4)
    (patch,) = crop_patches(image, mask, np.array([[30, 20, 46, 36]]), spec)
    assert np.array_equal(patch[..., :3], image[16:40, 26:50])


def test_beyond_the_frame_image_and_mask_repeat_their_edge(image: np.ndarray) -> None:
    mask, spec = BoxMask.from_frame(np.pad(np.ones((60, 40), bool), ((0, 0), (0, 40)))), PatchSpec(side=16, padding=8)
    (patch,) = crop_patches(image, mask, np.array([[0, 0, 16, 16]]), spec)
    padded = np.pad(image, ((8, 8), (8, 8), (0, 0)), mode="edge")
    assert np.array_equal(patch[..., :3], padded[:32, :32])
    assert (patch[..., 3] == 255).all()


def test_no_boxes_give_no_patches_of_the_right_shape(image: np.ndarray) -> None:
    mask = BoxMask.from_frame(np.zeros((60, 80), bool))
    assert crop_patches(image, mask, np.empty((0, 4), int), PatchSpec(side=16)).shape == (0, 16, 16, 4)


def test_the_evidence_channel_comes_last_and_knows_the_object(image: np.ndarray) -> None:
    mask = disc((60, 80), 30, 40, 15)
    painted = np.where(mask.to_frame()[..., None], np.uint8([220, 40, 40]), np.uint8([20, 60, 200]))
    spec = PatchSpec(side=32, inputs=("rgb", "mask", "evidence"))
    (patch,) = crop_patches(painted, mask, np.array([[24, 14, 56, 46]]), spec)
    inside = patch[..., 3] > 0
    assert patch[..., 4][inside].min() > 200
    assert patch[..., 4][~inside].max() < 56


def test_overlapping_patches_are_averaged() -> None:
    """By hand: columns 0-2 see 0.9, columns 4-6 see 0.2, column 3 sees both and takes their mean, 0.55."""
    coarse = BoxMask.from_frame(np.zeros((4, 7), bool))
    probabilities = np.stack([np.full((4, 4), 0.9, np.float32), np.full((4, 4), 0.2, np.float32)])
    refined = Blended.of(coarse, np.array([[0, 0, 4, 4], [3, 0, 7, 4]]), probabilities, SPEC, "mean").refined()
    assert refined.to_frame().astype(int).tolist() == [[1, 1, 1, 1, 0, 0, 0]] * 4


def test_centred_patches_count_by_the_way_to_their_border() -> None:
    """By hand: .9 counts 4 3 2 1 / 4 rightwards over the shared columns, .3 counts 1 2 3 4 / 4."""
    coarse, spec = BoxMask.from_frame(np.zeros((8, 12), bool)), PatchSpec(side=8)
    boxes = np.array([[0, 0, 8, 8], [4, 0, 12, 8]])
    probabilities = np.stack([np.full((8, 8), 0.9, np.float32), np.full((8, 8), 0.3, np.float32)])
    blended = Blended.of(coarse, boxes, probabilities, spec, "centred")
    (row,) = blended.within((0, 3, 12, 4))
    shared = [(0.9 * (4 - i) + 0.3 * (i + 1)) / 5 for i in range(4)]
    assert row.tolist() == pytest.approx([0.9] * 4 + shared + [0.3] * 4)
    assert blended.refined().to_frame()[3].tolist() == [True] * 7 + [False] * 5


@pytest.mark.parametrize("blend", BLENDS)
def test_caution_leaves_what_the_network_is_not_sure_of(blend: Blend) -> None:
    """By hand: with .1, background needs over .6 to become foreground, foreground .4 or less to become background."""
    coarse = BoxMask.from_frame(np.array([[False, False, True, True]] * 4))
    probability = np.tile(np.float32([0.55, 0.65, 0.45, 0.35]), (1, 4, 1))
    blended = Blended.of(coarse, np.array([[0, 0, 4, 4]]), probability, SPEC, blend)
    assert blended.refined((0.1, -0.1)).to_frame()[0].tolist() == [False, True, True, False]
    (row,) = blended.within((0, 1, 4, 2), (0.1, -0.1))
    assert row.tolist() == pytest.approx([0.45, 0.55, 0.55, 0.45])


@pytest.mark.parametrize("size", [16, 24], ids=["as cut", "resized"])
def test_the_more_caution_the_less_changes(size: int) -> None:
    rng, coarse = np.random.default_rng(0), disc((60, 80), 30, 40, 15)
    boxes = np.array([[30, 20, 30 + size, 20 + size], [38, 26, 38 + size, 26 + size]])
    probabilities = rng.random((2, 16, 16), np.float32)
    blended, changed = Blended.of(coarse, boxes, probabilities, PatchSpec(side=16), "mean"), []
    for caution in (0, 0.05, 0.2, 0.4):
        refined = blended.refined((caution, -caution)).to_frame()
        moved = blended.within((0, 0, 80, 60), (caution, -caution))
        assert np.array_equal(moved > 0.5, refined)
        assert 0 <= moved.min() <= moved.max() <= 1
        changed.append(refined ^ coarse.to_frame())
    for more, less in pairwise(changed):
        assert not (less & ~more).any()
        assert less.sum() < more.sum()


def test_exactly_one_half_is_background() -> None:
    coarse = BoxMask.from_frame(np.ones((4, 4), bool))
    probabilities = np.tile(np.float32([0.5, 0.5, 0.5, 0.51]), (1, 4, 1))
    assert Blended.of(coarse, np.array([[0, 0, 4, 4]]), probabilities, SPEC, "mean").refined().area == 4


def test_outside_the_patches_the_coarse_mask_stays() -> None:
    coarse = disc((60, 80), 30, 40, 15)
    refined = Blended.of(coarse, np.array([[40, 20, 56, 36]]), np.zeros((1, 16, 16), np.float32), SPEC, "mean").refined()
    expected = coarse.to_frame()
    expected[20:36, 40:56] = False
    assert np.array_equal(refined.to_frame(), expected)


def test_only_the_centre_of_a_padded_patch_is_pasted() -> None:
    coarse = BoxMask.from_frame(np.zeros((10, 10), bool))
    probability = np.ones((1, 8, 8), np.float32)
    assert Blended.of(coarse, np.array([[3, 3, 7, 7]]), probability, PatchSpec(padding=2), "mean").refined().box == (3, 3, 7, 7)


def test_refined_pixels_may_lie_outside_the_coarse_box() -> None:
    coarse = disc((60, 80), 30, 40, 5)
    refined = Blended.of(coarse, np.array([[30, 20, 62, 52]]), np.ones((1, 32, 32), np.float32), SPEC, "mean").refined()
    assert refined.box == (30, 20, 62, 52)


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(("frame", "centre"), [((60, 80), (30, 40)), ((60, 80), (0, 79)), ((20, 30), (10, 15)), ((60, 20), (59, 0))])
@pytest.mark.parametrize("blend", BLENDS)
def test_believing_every_mask_patch_changes_nothing(frame: tuple[int, int], centre: tuple[int, int], padding: int, blend: Blend) -> None:
    mask = disc(frame, *centre, 12)
    spec = PatchSpec(side=32, padding=padding)
    boxes = patch_boxes(mask, spec, Placement())
    patches = crop_patches(np.zeros((*frame, 3), np.uint8), mask, boxes, spec)
    refined = Blended.of(mask, boxes, patches[..., 3].astype(np.float32) / 255, spec, blend).refined()
    assert len(boxes)
    assert refined.equals(mask)


def test_mean_probability_is_the_patches_mean_inside_and_the_mask_outside() -> None:
    coarse = BoxMask.from_frame(np.tile([[0] * 8 + [1] * 8], (8, 1)))
    boxes, spec = np.array([[0, 0, 8, 8], [4, 0, 12, 8]]), PatchSpec(side=8)
    probabilities = np.stack([np.full((8, 8), 0.9, np.float32), np.full((8, 8), 0.3, np.float32)])
    mean = Blended.of(coarse, boxes, probabilities, spec, "mean").within((0, 0, 16, 1))
    assert mean.tolist() == [pytest.approx([0.9] * 4 + [0.6] * 4 + [0.3] * 4 + [1] * 4)]
    assert Blended.of(coarse, boxes[:0], probabilities[:0], spec, "mean").within((7, 0, 9, 1)).tolist() == [[0, 1]]
