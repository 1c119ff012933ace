"""Readers accept damaged files, and JSON with unexpected values, or refuse them in one line."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.readers import READERS
from tests.fuzz.seeds import seeds

SEEDS = seeds()
TEXTS_OF_TOOLS = ("labelme", "label_studio", "sam")
JSON_READERS = ("polygons", "coco_results", "annotations", "panoptic", *TEXTS_OF_TOOLS, "zarr", "geojson", "onnx_metadata", "manifest")
FIXED = settings(max_examples=60, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
ABSURD: tuple[Any, ...] = (
    *(None, True, -1, 0, 2**31, 2**63, 10**400, 1e308, float("nan"), float("inf"), "", "../../etc/passwd", "/etc/passwd", "a\0b", "\ud800"),
    *("x\n\x1b[2J", "9" * 5000, [], {}, [[]], [None], {"size": [10**9, 10**9], "counts": [10**18]}, [[1e5, -1e5] * 400]),
)
"""Values that replace every value of a valid document."""
STEP = 5
"""Every fifth of all (position, absurd value) pairs is tested.

It does not divide the number of absurd values, so that every value and every position is tested.
"""


@st.composite
def damaged(draw: st.DrawFn, sound: list[bytes]) -> bytes:
    """A valid input in which up to three ranges are overwritten, removed or extended; sometimes any bytes instead."""
    content = draw(st.sampled_from(sound))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(content)))
        stop = draw(st.integers(start, min(start + 8, len(content))))
        content = content[:start] + draw(st.binary(max_size=8)) + content[stop:]
    return draw(st.sampled_from((content, content[: len(content) // 2]))) or draw(st.binary(max_size=64))


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of keys and indices to every value inside parsed JSON."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] + [below for key, item in steps for below in paths(item, (*path, key))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy of parsed JSON with the value at ``path`` replaced."""
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


def test_every_reader_has_a_valid_input() -> None:
    assert SEEDS.keys() == READERS.keys()


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_cost_one_line(name: str) -> None:
    @FIXED
    @given(damaged(SEEDS[name]))
    def check(content: bytes) -> None:
        READERS[name](content)

    check()


@pytest.mark.parametrize("name", JSON_READERS)
def test_anything_in_the_place_of_any_value(name: str) -> None:
    for sound in map(json.loads, SEEDS[name]):
        for path, new in list(product(paths(sound), ABSURD))[::STEP]:
            READERS[name](json.dumps(replaced(sound, path, new)).encode())
