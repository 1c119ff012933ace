import numpy as np
import pytest

from bpr.geometry.evidence import colour_bins, evidence_table
from bpr.geometry.masks import BoxMask

RED, BLUE = (220, 40, 40), (20, 60, 200)


def two_colours(frame: tuple[int, int] = (80, 100)) -> tuple[np.ndarray, np.ndarray]:
    mask = np.zeros(frame, bool)
    mask[20:60, 30:70] = True
    return np.where(mask[..., None], np.uint8(RED), np.uint8(BLUE)), mask


def evidence_of(table: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int(table[colour_bins(np.array([[colour]], np.uint8))[0, 0]])


def test_the_objects_colour_says_inside_the_surroundings_outside_others_nothing() -> None:
    image, mask = two_colours()
    table = evidence_table(image, BoxMask.from_frame(mask))
    assert table.shape == (4096,)
    assert table.dtype == np.uint8
    assert evidence_of(table, RED) == 255
    assert evidence_of(table, BLUE) == 1
    assert evidence_of(table, (120, 250, 120)) == 128


def test_a_coarse_mask_gives_the_same_verdict() -> None:
    image, mask = two_colours()
    shifted = np.roll(mask, 1, axis=(0, 1))
    table = evidence_table(image, BoxMask.from_frame(shifted))
    assert evidence_of(table, RED) > 240
    assert evidence_of(table, BLUE) < 16


@pytest.mark.parametrize("where", [np.s_[:, :], np.s_[5:6, 7:8], np.s_[0:0, 0:0], np.s_[:, :1]])
def test_full_empty_and_thin_masks_give_a_table_without_warnings(where: tuple, recwarn: pytest.WarningsRecorder) -> None:
    mask = np.zeros((30, 40), bool)
    mask[where] = True
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    assert evidence_table(image, BoxMask.from_frame(mask)).shape == (4096,)
    assert not len(recwarn)


def test_bins_keep_four_bits_of_each_channel() -> None:
    assert colour_bins(np.array([[[0, 0, 0], [255, 255, 255], [16, 31, 15]]], np.uint8)).tolist() == [[0, 4095, 0x110]]
