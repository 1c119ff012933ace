from pathlib import Path

import cv2
import numpy as np
import pytest

from bpr import scenes
from bpr.evaluation.boundary_metrics import overlap
from bpr.scenes import CoarseKind, coarse_masks, paint_scene, real_photograph

FRAME = (180, 240)


def test_equal_seeds_give_equal_scenes_others_do_not() -> None:
    first, again, other = paint_scene(3, FRAME), paint_scene(3, FRAME), paint_scene(4, FRAME)
    assert np.array_equal(first.image, again.image)
    assert all(a.equals(b) for a, b in zip(first.masks, again.masks, strict=True))
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize("seed", range(5))
def test_truth_is_what_can_be_seen(seed: int) -> None:
    scene = paint_scene(seed, FRAME)
    assert scene.image.shape == (*FRAME, 3)
    assert scene.image.dtype == np.uint8
    assert 3 <= len(scene.masks) <= 8
    assert sum(mask.to_frame().astype(int) for mask in scene.masks).max() == 1
    assert min(mask.area for mask in scene.masks) > scenes.LEAST_VISIBLE * FRAME[0] * FRAME[1]


def test_the_image_has_an_edge_where_the_truth_has_one() -> None:
    """Along true boundaries the gradient of the image is much larger than elsewhere."""
    scene = paint_scene(0, FRAME)
    grey = cv2.GaussianBlur(cv2.cvtColor(scene.image, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1)
    steepness = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    edges = [cv2.morphologyEx(mask.to_frame().astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) for mask in scene.masks]
    along = np.any(edges, axis=0)
    assert steepness[along].mean() > 3 * steepness[~along].mean()


@pytest.mark.parametrize("kind", ["mask_head", "prototype"])
def test_coarse_masks_have_the_errors_of_a_detector(kind: CoarseKind) -> None:
    scene = paint_scene(1)
    coarse = coarse_masks(scene, kind, seed=5)
    agreement = [overlap(mask, truth).iou for mask, truth in zip(coarse, scene.masks, strict=True)]
    assert min(agreement) > 0.7
    assert max(agreement) < 0.99
    assert sum(mask.area for mask in coarse) > sum(mask.area for mask in scene.masks)
    assert all(a.equals(b) for a, b in zip(coarse, coarse_masks(scene, kind, seed=5), strict=True))


def test_the_two_kinds_differ() -> None:
    scene = paint_scene(1, FRAME)
    pairs = zip(coarse_masks(scene, "mask_head"), coarse_masks(scene, "prototype"), strict=True)
    assert not any(a.equals(b) for a, b in pairs)


def test_the_photograph_is_that_of_scikit_image() -> None:
    skimage = pytest.importorskip("skimage")
    assert scenes.PHOTOGRAPH.read_bytes() == (Path(skimage.__file__).parent / "data" / "camera.png").read_bytes()


def test_the_man_of_the_photograph_is_dark_and_the_sky_beside_his_outline_is_not() -> None:
    scene = real_photograph()
    inside = scene.masks[0].to_frame()
    beside = cv2.dilate(inside.astype(np.uint8), np.ones((15, 15), np.uint8)).astype(bool) & ~inside
    assert scene.image.shape == (*inside.shape, 3)
    assert np.median(scene.image[inside]) < 60 < 120 < np.median(scene.image[beside])
