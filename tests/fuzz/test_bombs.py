"""Small files that demand much are refused in one line, within a second and 200 MiB; large real ones are not."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import cv2
import numpy as np
import pytest

from bpr.geometry.rle import compress, decode_mask
from bpr.io.image_header import stated_frame
from bpr.limits import LARGEST_FRAME, MOST_CATEGORIES, bytes_can_encode, check_categories, check_depth, is_frame
from tests.conftest import ROOT
from tests.fuzz.bombs import BOMBS

MOST_SECONDS, MOST_MIB = 1.0, 200


@pytest.fixture(scope="module")
def costs() -> dict[str, dict[str, Any]]:
    ran = subprocess.run([sys.executable, "-m", "tests.fuzz.bombs"], cwd=ROOT, capture_output=True, text=True, check=True)
    return {cost["name"]: cost for cost in map(json.loads, ran.stdout.splitlines())}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_one_line(costs: dict[str, dict[str, Any]], name: str) -> None:
    cost = costs[name]
    assert cost["line"], "it was taken"
    assert cost["line"].isprintable()
    assert cost["seconds"] < MOST_SECONDS
    assert cost["mib"] < MOST_MIB


def test_a_large_scene_is_no_bomb() -> None:
    side = 20_000
    assert is_frame(side, side)
    assert compress({"size": [side, side], "counts": [0, side * side]}, (side, side))[1] == side * side
    assert decode_mask([[0, 0, 300, 0, 300, 300, 0, 300]], (side, side)).area == 300 * 300
    assert not is_frame(LARGEST_FRAME, 2)


def test_a_black_png_of_one_bit_is_no_bomb() -> None:
    smallest = [cv2.IMWRITE_PNG_BILEVEL, 1, cv2.IMWRITE_PNG_COMPRESSION, 9]
    content = cv2.imencode(".png", np.zeros((6000, 6000), np.uint8), smallest)[1].tobytes()
    assert bytes_can_encode(6000, 6000, len(content))


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".bmp", ".tif"])
@pytest.mark.parametrize("quality", [[], [cv2.IMWRITE_WEBP_QUALITY, 101, cv2.IMWRITE_JPEG_PROGRESSIVE, 1]])
@pytest.mark.parametrize("shape", [(1, 1, 3), (37, 61, 3), (300, 2)])
def test_the_header_states_the_size(ending: str, quality: list[int], shape: tuple[int, ...]) -> None:
    options = quality if ending in (".jpg", ".webp") else []
    assert stated_frame(cv2.imencode(ending, np.zeros(shape, np.uint8), options)[1].tobytes()) == shape[:2]


def test_the_largest_data_sets_fit() -> None:
    check_categories({"categories": [{"id": number} for number in range(MOST_CATEGORIES)]}, "lvis")
    check_depth([{"segmentation": [[1.0, 2.0] * 3], "attributes": {"by": [{"name": "x"}]}}], "results")
