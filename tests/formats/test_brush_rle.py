"""Label Studio's packed runs, against a reader that takes one bit after the other."""

from __future__ import annotations

import numpy as np
import pytest

from bpr.errors import BadMask
from bpr.formats.brush_rle import decode_brush, encode_brush
from bpr.geometry.masks import BoxMask


def unpacked(rle: list[int]) -> np.ndarray:
    """The values of the packed form, as its definition says: slow, and without any arithmetic on positions."""
    bits = iter("".join(f"{byte:08b}" for byte in rle))

    def number(count: int) -> int:
        return int("".join(next(bits) for _ in range(count)), 2)

    size, word = number(32), number(5) + 1
    fields = [number(4) + 1 for _ in range(4)]
    values: list[int] = []
    while len(values) < size:
        is_run, field = number(1), number(2)
        count = number(fields[field]) + 1
        values += [number(word)] * count if is_run else [number(word) for _ in range(count)]
    return np.array(values)


def packed(size: int, groups: list[tuple[int, int, list[int]]], fields: tuple[int, ...] = (3, 4, 8, 16), word: int = 8) -> list[int]:
    """A stream of groups: (1 for a run, the field, the values; of a run its count and value)."""
    text = f"{size:032b}{word - 1:05b}" + "".join(f"{field - 1:04b}" for field in fields)
    for is_run, field, values in groups:
        count, *rest = values if is_run else [len(values), *values]
        text += f"{is_run}{field:02b}{count - 1:0{fields[field]}b}" + "".join(f"{value:0{word}b}" for value in rest)
    text += "0" * (-len(text) % 8)
    return [int(text[start : start + 8], 2) for start in range(0, len(text), 8)]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("frame", [(1, 1), (3, 5), (40, 33), (300, 400)])
def test_a_mask_comes_back(frame: tuple[int, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.random(frame) < rng.choice([0.01, 0.5, 0.999, 0, 1])
    mask = BoxMask.from_frame(pixels)
    rle = encode_brush(mask)
    assert decode_brush(rle, frame).equals(mask)
    if pixels.size < 2000:
        assert np.array_equal(unpacked(rle), np.repeat(pixels.ravel() * 255, 4))


def test_the_head_is_that_of_files_of_label_studio() -> None:
    """The first bytes of a published export of an image of 3332 x 2527, which begins with 65,536 values of 0."""
    assert encode_brush(BoxMask.empty((2527, 3332)))[:14] == [2, 1, 233, 240, 57, 27, 255, 255, 255, 0, 255, 255, 224, 31]


def test_lists_of_values_and_other_fields_are_read() -> None:
    values = [9, 9, 9, 0, 9, 9, 9, 128, 0, 0, 0, 127, 1, 2, 3, 255]
    for fields in ((3, 4, 8, 16), (1, 2, 3, 5), (16, 16, 16, 16)):
        groups = [(0, 3, values[:3]), (0, 3, values[3:9]), (1, 3, [2, 0]), (0, 3, values[11:])]
        rle = packed(16, groups, fields)
        assert unpacked(rle).tolist() == values
        assert decode_brush(rle, (2, 2)).to_frame().tolist() == [[False, True], [False, True]]


@pytest.mark.parametrize(
    "rle",
    [
        None,
        "text",
        [],
        [0, 0],
        [300, 1],
        [1.5],
        packed(12, [(1, 1, [12, 255])]),
        packed(16, [(1, 3, [17, 255])]),
        packed(16, [(1, 1, [12, 255])])[:-1],
        packed(16, [(0, 3, [1] * 16)])[:-4],
    ],
)
def test_what_is_no_brush_is_refused(rle: object) -> None:
    with pytest.raises(BadMask, match="brush RLE: expected Label Studio's packed runs"):
        decode_brush(rle, (2, 2))


def test_the_converter_of_label_studio_reads_it() -> None:
    brush = pytest.importorskip("label_studio_sdk.converter.brush", reason="needs label-studio-sdk")
    mask = BoxMask.from_frame(np.random.default_rng(0).random((30, 41)) < 0.3)
    assert np.array_equal(brush.decode_rle(encode_brush(mask)).reshape(30, 41, 4)[..., 3] > 0, mask.to_frame())
    theirs = brush.encode_rle(np.repeat(mask.to_frame().ravel() * np.uint8(255), 4))
    assert decode_brush(theirs, (30, 41)).equals(mask)
