"""Run lengths in numpy and compiled: the same masks, the same strings, the same refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from bpr.compiled import kernels
from bpr.errors import BadMask
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, encode_mask, string_to_runs
from tests.compiled.test_loops import both, same

ASCII, CODES = (st.characters(min_codepoint=first, max_codepoint=last) for first, last in ((0, 127), (48, 111)))


@pytest.mark.parametrize("seed", range(40))
def test_masks_and_strings_are_equal_and_those_of_pycocotools(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = tuple(rng.integers(1, 40, 2).tolist())
    pixels = rng.random(frame) < rng.choice([0.02, 0.5, 0.98])
    pixels[:, rng.random(frame[1]) < 0.2] = True  # runs that go on from column to column
    mask = BoxMask.from_frame(pixels)
    plain, written = both(lambda: encode_mask(mask))
    assert plain == written
    assert written["counts"] == coco_mask.encode(np.asfortranarray(pixels, np.uint8))["counts"].decode()

    plain, read = both(lambda: decode_mask(written))
    assert same(plain, read)
    assert np.array_equal(read.to_frame(), pixels)


@pytest.mark.parametrize("pixels", [np.indices((9, 7)).sum(0) % 2, 1 - np.indices((9, 7)).sum(0) % 2, np.ones((5, 4)), np.zeros((5, 4))])
def test_the_most_and_the_fewest_runs(pixels: np.ndarray) -> None:
    mask = BoxMask(pixels > 0, 0, 0, pixels.shape)
    plain, written = both(lambda: encode_mask(mask))
    assert plain == written
    assert np.array_equal(decode_mask(written).to_frame(), pixels > 0)


def test_runs_of_no_length_are_read_alike() -> None:
    counts = [0, 3, 0, 2, 1, 0, 2, 1, 0, 0]
    plain, read = both(lambda: decode_mask({"size": [3, 3], "counts": counts}))
    assert same(plain, read)


def outcome(text: str) -> tuple[str, list[int]]:
    try:
        return "", string_to_runs(text).tolist()
    except BadMask as error:
        return str(error), []


@settings(deadline=None)
@given(st.text(ASCII, max_size=30) | st.text(CODES))
def test_any_text_is_read_or_refused_alike(text: str) -> None:
    plain, fast = both(lambda: outcome(text))
    assert plain == fast


def test_a_frame_of_many_pixels_and_no_mask_takes_no_memory() -> None:
    compiled = kernels()
    assert compiled is not None
    columns, _, _ = compiled.painted(np.array([10**12]), 10**6)
    assert columns.size == 0


def test_bytes_that_are_not_one_are_foreground_all_the_same() -> None:
    labels = np.array([[2, 3, 0, 255], [1, 2, 2, 0]], np.uint8)
    mask = BoxMask(labels.view(bool), 0, 0, (2, 4))
    plain, written = both(lambda: encode_mask(mask))
    assert plain == written == encode_mask(BoxMask(labels != 0, 0, 0, (2, 4)))


def test_a_mask_beyond_its_frame_is_refused() -> None:
    for corner in ((100, 90), (-5, 10)):
        with pytest.raises(ValueError, match="expected a box inside its frame of 100x120"):
            encode_mask(BoxMask(np.ones((40, 50), bool), *corner, (100, 120)))
