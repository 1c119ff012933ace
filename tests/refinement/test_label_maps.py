"""An (H, W) map of numbers comes back as one: exclusive, whatever the numbers are."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import bpr
from bpr.geometry.masks import BoxMask, masks_of_numbers
from bpr.geometry.options import PatchSpec, RefineOptions
from bpr.io.mask_picture import read_mask_picture, write_mask_picture
from bpr.refinement.predictor import IdentityPredictor, PatchBatch
from bpr.refinement.refiner import Refiner

H, W = 96, 128
PHOTO = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (H, W, 3), np.uint8), (0, 0), 1)
LABELS = np.zeros((H, W), np.uint8)
LABELS[10:50, 10:60] = 9
LABELS[10:50, 60:110] = 4
LABELS[50:80, 30:90] = 6
LABELS[85, 5] = 2


class ByPlace:
    """A network that is as sure of every pixel of a mask as the column of its box says; equally sure with ``same``."""

    spec, recommended, batch_size, verdict = PatchSpec(), RefineOptions(), 8, None

    def __init__(self, same: bool = False) -> None:
        self.same = same

    def predict(self, batch: PatchBatch) -> np.ndarray:
        sure = [0.9 if self.same else 0.6 + instance.mask.left / 400 for instance in batch.instances]
        return np.array(sure, np.float32)[:, None, None] * np.ones((1, 64, 64), np.float32)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.uint64, np.int64])
@pytest.mark.parametrize("same", [False, True])
def test_the_type_and_the_order_of_the_numbers_do_not_matter(dtype: type, same: bool) -> None:
    refiner = Refiner(ByPlace(same))
    expected = refiner(PHOTO, LABELS)
    assert set(np.unique(expected)) == set(np.unique(LABELS)), "no number is lost, not even that of one pixel"
    assert (expected != LABELS).any()
    most = min(np.iinfo(dtype).max, 2**62)
    others = np.zeros(256, dtype)
    others[[2, 4, 6, 9]] = [most, 3, most - 1, 5]
    refined = refiner(PHOTO, others[LABELS])
    assert refined.dtype == dtype
    assert np.array_equal(refined, others[expected])


def test_the_surer_object_takes_the_seam() -> None:
    refined = Refiner(ByPlace())(PHOTO, LABELS)
    assert (refined[20:40, 58:62] == 4).all(), "0.75 against 0.625"


@pytest.mark.parametrize(("side", "dtype"), [(3, np.uint8), (4, np.uint16), (4, np.int32), (5, np.int64)])
def test_many_small_objects_that_touch_are_objects(side: int, dtype: type) -> None:
    """Their numbers rise and fall from place to place like those of a soft mask."""
    numbers = np.random.default_rng(0).permutation(196).reshape(14, 14) + 1
    labels = np.kron(numbers, np.ones((side, side), int)).astype(dtype)
    photo = np.zeros((*labels.shape, 3), np.uint8)
    assert np.array_equal(Refiner(IdentityPredictor())(photo, labels), labels)
    higher = labels if dtype == np.uint8 else labels * 334  # up to 65,464
    assert np.array_equal(Refiner(IdentityPredictor())(photo, higher), higher)


def test_a_map_of_one_object_is_a_mask() -> None:
    refiner, one = Refiner(ByPlace()), np.where(LABELS == 6, 6, 0)
    assert np.array_equal(refiner(PHOTO, one), refiner(PHOTO, one == 6) * 6)
    assert refiner(PHOTO, np.zeros_like(one)).max() == 0


def test_probabilities_are_in_the_order_of_the_places() -> None:
    result = Refiner(ByPlace())(PHOTO, LABELS, return_probability=True)
    assert result.probability.shape == (4, H, W)
    assert result.probability[0, 30, 10] == pytest.approx(0.625), "number 9 begins first"


def test_tensors() -> None:
    torch = pytest.importorskip("torch")
    refiner = Refiner(ByPlace())
    refined = refiner(PHOTO, torch.from_numpy(LABELS.astype(np.int64)))
    assert refined.dtype == torch.int64
    assert np.array_equal(refined.numpy(), refiner(PHOTO, LABELS))


def test_numbers_below_zero_and_other_sizes_are_refused() -> None:
    refiner = Refiner(ByPlace())
    with pytest.raises(ValueError, match=r"expected 0 and one positive value, got several in -1\.\.9; pass a label map as \(H, W\)"):
        refiner(PHOTO, np.where(LABELS == 0, -1, LABELS.astype(int)))
    with pytest.raises(ValueError, match=r"masks: expected \(N, 96, 128\) as the image, got \(95, 128\); resize"):
        refiner(PHOTO, LABELS[1:])


def test_masks_of_numbers_are_those_of_every_number() -> None:
    noise = np.random.default_rng(1).integers(0, 40, (30, 50)).astype(np.int32)
    masks = masks_of_numbers(noise)
    assert sorted(masks) == list(range(1, 40))
    for number, mask in masks.items():
        assert mask.equals(BoxMask.from_frame(noise == number))
    assert masks_of_numbers(np.zeros((2, 3), int)) == {}


def test_a_tiff_of_labels_is_refined_as_the_array(tmp_path: Path) -> None:
    """bpr refine image.png labels.tif, and the range of a deep image is recorded and said."""
    labels = LABELS.astype(np.int32) * 70_001
    write_mask_picture(tmp_path / "labels.tif", labels)
    cv2.imwrite(str(tmp_path / "image.png"), PHOTO.astype(np.uint16)[..., ::-1] * 16)
    given = {"images": tmp_path / "image.png", "format": "masks", "model": "starter-fast"}
    report = bpr.refine_file(tmp_path / "labels.tif", tmp_path / "out.tif", **given)
    refined, _ = read_mask_picture(tmp_path / "out.tif")
    assert np.array_equal(refined, bpr.load("starter-fast")(PHOTO, labels))
    assert report.notes == [f"{tmp_path / 'image.png'}: uint16, 0..4096 is black to white; --stretch chooses otherwise"]
