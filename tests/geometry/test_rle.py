from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from bpr.errors import BadMask
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import compress, decode_mask, encode_mask, string_to_runs
from bpr.geometry.rle_batch import compress_all
from tests.arithmetic import arithmetic  # noqa: F401  (runs every test with and without compiled loops)


def by_pycocotools(mask: np.ndarray) -> dict:
    rle = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return {"size": rle["size"], "counts": rle["counts"].decode()}


def with_pixels(*pixels: tuple[int, int], frame: tuple[int, int] = (7, 9)) -> np.ndarray:
    mask = np.zeros(frame, bool)
    for pixel in pixels:
        mask[pixel] = True
    return mask


def with_columns(*columns: int, rows: slice = slice(None), frame: tuple[int, int] = (7, 9)) -> np.ndarray:
    mask = np.zeros(frame, bool)
    mask[rows, list(columns)] = True
    return mask


MASKS = {
    "empty": with_pixels(),
    "full": np.ones((7, 9), bool),
    "first pixel": with_pixels((0, 0)),
    "last pixel": with_pixels((6, 8)),
    "one pixel": with_pixels((3, 4)),
    "one pixel frame": np.ones((1, 1), bool),
    "first column": with_columns(0),
    "last column": with_columns(8),
    "adjacent full columns": with_columns(3, 4, 5),
    "separate full columns": with_columns(1, 3, 7),
    "full column beside a short one": with_columns(3) | with_columns(4, rows=slice(0, 2)),
    "bottom meets the next column's top": with_columns(3, rows=slice(4, 7)) | with_columns(4, rows=slice(0, 3)),
    "one row": np.array([[0, 1, 1, 0, 1]], bool),
    "one column": np.array([[0], [1], [1], [0], [1]], bool),
    "checkerboard": np.indices((7, 9)).sum(axis=0) % 2 == 1,
    "long runs": np.arange(300 * 400).reshape(300, 400) % 90_001 < 61_000,
}


@pytest.mark.parametrize("name", MASKS)
def test_bytes_equal_pycocotools_and_come_back(name: str) -> None:
    mask = MASKS[name]
    rle = encode_mask(BoxMask.from_frame(mask))
    assert rle == by_pycocotools(mask)
    assert np.array_equal(decode_mask(rle).to_frame(), mask)


def test_random_masks_equal_pycocotools() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        mask = rng.random(rng.integers(1, 25, 2)) < rng.random()
        rle = encode_mask(BoxMask.from_frame(mask))
        assert rle == by_pycocotools(mask)
        assert np.array_equal(decode_mask(rle).to_frame(), mask)


def test_a_loose_box_encodes_like_a_tight_one() -> None:
    mask = MASKS["one pixel"]
    assert encode_mask(BoxMask(mask, 0, 0, mask.shape)) == by_pycocotools(mask)


@pytest.mark.parametrize("kind", [str, bytes, list])
def test_strings_bytes_and_lists_are_read(kind: type) -> None:
    rle = encode_mask(BoxMask.from_frame(MASKS["checkerboard"]))
    counts = {str: rle["counts"], bytes: rle["counts"].encode(), list: string_to_runs(rle["counts"]).tolist()}[kind]
    assert np.array_equal(decode_mask({"size": [7, 9], "counts": counts}).to_frame(), MASKS["checkerboard"])


def test_runs_of_zero_pixels_are_read() -> None:
    mask = decode_mask({"size": [2, 3], "counts": [0, 1, 0, 1, 2, 0, 1, 1]}).to_frame()
    assert mask.T.ravel().astype(int).tolist() == [1, 1, 0, 0, 0, 1]


@pytest.mark.parametrize(
    "polygons",
    [
        [[10, 10, 60, 10, 60, 50, 10, 50]],
        [[10.5, 3.2, 70.1, 30.9, 20.0, 44.4], [60, 40, 79, 40, 79, 59]],
        [[-5, -5, 20, -5, 20, 20, -5, 20]],
        [[70, 50, 90, 50, 90, 70, 70, 70]],
    ],
)
def test_polygons_equal_pycocotools(polygons: list) -> None:
    merged = coco_mask.merge(coco_mask.frPyObjects(polygons, 60, 80))
    assert np.array_equal(decode_mask(polygons, (60, 80)).to_frame(), coco_mask.decode(merged) > 0)


def test_no_polygons_are_an_empty_mask() -> None:
    assert decode_mask([], (60, 80)).area == 0


MALFORMED = {
    "sum too small": {"size": [4, 5], "counts": [3, 4]},
    "sum too large": {"size": [4, 5], "counts": [3, 40]},
    "no runs": {"size": [4, 5], "counts": []},
    "empty string": {"size": [4, 5], "counts": ""},
    "negative run": {"size": [4, 5], "counts": [25, -5]},
    "negative run in a string": {"size": [4, 5], "counts": "i0K"},
    "run beyond 64 bits": {"size": [4, 5], "counts": [10**30]},
    "runs whose sum wraps around": {"size": [4, 5], "counts": [2**62, 2**62, 2**62, 2**62, 20]},
    "cut string": {"size": [100, 100], "counts": "PP"},
    "endless run": {"size": [4, 5], "counts": "o" * 40 + "0"},
    "control characters": {"size": [4, 5], "counts": "\n\t"},
    "characters beyond the code": {"size": [4, 5], "counts": "~~"},
    "not ASCII": {"size": [4, 5], "counts": "é0"},
    "bytes beyond ASCII": {"size": [4, 5], "counts": b"\xff\xfe"},
    "fractions": {"size": [4, 5], "counts": [10.5, 9.5]},
    "booleans": {"size": [4, 5], "counts": [True] * 20},
    "no counts": {"size": [4, 5]},
    "no size": {"counts": [20]},
    "size of one number": {"size": [20], "counts": [20]},
    "size of text": {"size": "45", "counts": [20]},
    "size of fractions": {"size": [4.5, 5.0], "counts": [20]},
    "size of zero": {"size": [0, 5], "counts": []},
    "negative size": {"size": [-4, -5], "counts": [20]},
    "absurd size": {"size": [10**9, 10**9], "counts": [10**18]},
    "polygon of three numbers": [[1, 2, 3]],
    "polygon of seven numbers": [[1, 2, 3, 4, 5, 6, 7]],
    "polygon of two points": [[1, 2, 3, 4]],
    "polygon with NaN": [[0, 0, float("nan"), 4, 4, 4]],
    "polygon with infinity": [[0, 0, float("inf"), 4, 4, 4]],
    "polygon far away": [[0, 0, 1e9, 4, 4, 4]],
    "polygon with a huge integer": [[0, 0, 10**400, 4, 4, 4]],
    "polygon with text": [[0, 0, "4", 4, 4, 4]],
    "polygon with None": [[0, 0, None, 4, 4, 4]],
    "flat polygon": [0, 0, 4, 0, 4, 4],
    "nothing": None,
    "text": "01310",
    "number": 3,
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_mask_is_one_clear_line(name: str) -> None:
    with pytest.raises(BadMask) as error:
        decode_mask(MALFORMED[name], (4, 5))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200


@pytest.mark.parametrize("name", [name for name, value in MALFORMED.items() if isinstance(value, dict)])
def test_a_malformed_rle_needs_no_frame_to_be_refused(name: str) -> None:
    with pytest.raises(BadMask):
        decode_mask(MALFORMED[name])


def test_another_images_size_is_refused() -> None:
    with pytest.raises(BadMask, match=r"expected the image's 8x5 .*got 4x5"):
        decode_mask({"size": [4, 5], "counts": [20]}, (8, 5))


def test_polygons_without_a_size_say_what_is_missing() -> None:
    with pytest.raises(BadMask, match="size of their image"):
        decode_mask([[1, 1, 5, 1, 5, 5]])


def test_damaged_strings_are_read_or_refused_but_never_crash() -> None:
    """One changed character in a real string gives a BadMask or a mask of the frame's size."""
    text = encode_mask(BoxMask.from_frame(MASKS["checkerboard"]))["counts"]
    rng = np.random.default_rng(1)
    for _ in range(500):
        damaged = list(text)
        damaged[rng.integers(len(text))] = chr(rng.integers(1, 128))
        with suppress(BadMask):
            assert decode_mask({"size": [7, 9], "counts": "".join(damaged)}).to_frame().shape == (7, 9)


def test_a_batch_gives_what_each_mask_gives_alone() -> None:
    random = np.random.default_rng(5)
    frames = [(int(height), int(width)) for height, width in random.integers(1, 60, (600, 2))]
    given: list[Any] = [encode_mask(BoxMask.from_frame(random.random(frame) > random.random())) for frame in frames]
    given[3] = {"size": list(frames[3]), "counts": [frames[3][0] * frames[3][1]]}
    longer = given[530]["counts"] + "1"
    for index, bad in ((7, "x" * 9), (40, ""), (41, "0" * 5), (520, "\u00e9"), (530, longer), (540, "o")):
        given[index] = {"size": list(frames[index]), "counts": bad}
    given[550] = {**given[550], "size": [1, 1]}
    given[560] = None
    alone: list[Any] = []
    for segmentation, frame in zip(given, frames, strict=True):
        try:
            alone.append(compress(segmentation, frame))
        except BadMask:
            alone.append(None)
    assert compress_all(given, frames) == alone
    assert alone.count(None) == 8
    assert compress_all([], []) == []


def test_a_flat_polygon_is_named() -> None:
    with pytest.raises(BadMask, match=r"expected a list of polygons \[\[x, y, ...\], ...\], got one flat polygon \[10, 10, 60"):
        decode_mask([10, 10, 60, 10, 60, 50.5], (90, 130))


@pytest.mark.parametrize("size", [[3.0, 3.0], [np.int64(3), np.int32(3)], (np.float32(3), 3), [3, 3.0]])
def test_whole_numbers_are_sizes_whatever_their_type(size: Any) -> None:
    for counts in ("013000", b"013000", [0, 1, 3, 1, 3, 1], [0.0, 1.0, 3.0, 1.0, 3.0, 1.0], [np.int64(0), 1, 3, 1.0, 3, 1]):
        rle = {"size": size, "counts": counts}
        assert decode_mask(rle, (3, 3)).equals(BoxMask.from_frame(np.eye(3, dtype=bool)))
        compressed, area = compress(rle, (3, 3))
        assert (area, compressed["size"], [type(side) for side in compressed["size"]]) == (3, [3, 3], [int, int])
        ((batched, batched_area),) = compress_all([rle], [(3, 3)])
        assert (batched, batched_area) == (compressed, area)


@pytest.mark.parametrize("rle", [
    {"size": [3.5, 3], "counts": "013000"},
    {"size": [True, 9], "counts": [0, 9]},
    {"size": ["3", "tall"], "counts": "013000"},
    {"size": [None, 3], "counts": "013000"},
    {"size": [float("nan"), 3], "counts": "013000"},
    {"size": [float("inf"), 3], "counts": "013000"},
    {"size": [3, 3], "counts": [0, 1.5, 2.5, 1, 3, 1]},
    {"size": [3, 3], "counts": [0, True, 3, 1, 3, 1]},
    {"size": [3, 3], "counts": [0, "1", 3, 1, 3, 1]},
    {"size": [3, 3], "counts": [float("nan"), 9]},
    {"size": [3, 3], "counts": [1e30, 9]},
])  # fmt: skip
def test_other_numbers_are_refused(rle: Any) -> None:
    with pytest.raises(BadMask, match=r"RLE (size|counts): "):
        decode_mask(rle)
    assert compress_all([rle], [(3, 3)]) == [None]


def test_polygons_without_three_points_are_malformed_alone() -> None:
    for polygons in ([[]], [[1, 1, 5, 5]], [[], [1, 1]]):
        with pytest.raises(BadMask, match="polygon: expected a list of 6 or more numbers"):
            decode_mask(polygons, (9, 9))
    good = [1, 1, 5, 1, 5, 5]
    assert np.array_equal(decode_mask([good, [1, 1, 5, 1, 5]], (9, 9)).to_frame(), decode_mask([good], (9, 9)).to_frame())
