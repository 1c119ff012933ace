"""The baselines of the quality tables: what they may change, what they must not, and the table they end in."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from benchmarks.studies.classical_refiners import RIVALS, Trimap, grab_cut, in_band, is_here, main, shift_boundary
from bpr.evaluation.boundary_metrics import overlap
from bpr.geometry.masks import BoxMask
from tests.conftest import SmallSet

BLANK = np.zeros((90, 120, 3), np.uint8)


def scene() -> tuple[np.ndarray, BoxMask, BoxMask]:
    """A bright disk on dark ground, its mask, and a mask that is 1 px too large."""
    disk = cv2.circle(np.zeros((90, 120), np.uint8), (60, 45), 30, 1, -1)
    noise = np.random.default_rng(0).integers(0, 10, (90, 120, 3), dtype=np.uint8)
    image = noise + (150 * disk[..., None]).astype(np.uint8)
    coarse = cv2.dilate(disk, np.ones((3, 3), np.uint8))
    return image, BoxMask.from_frame(disk), BoxMask.from_frame(coarse)


def test_a_step_moves_the_boundary() -> None:
    square = np.zeros((90, 120), bool)
    square[10:20, 30:40] = True
    mask = BoxMask.from_frame(square)
    assert shift_boundary(BLANK, mask, 0).equals(mask)
    assert shift_boundary(BLANK, mask, -2).area == 6 * 6
    assert shift_boundary(BLANK, mask, 1).area == 10 * 10 + 4 * 10  # a disk of 1 px adds no corners
    assert shift_boundary(BLANK, mask, -5).area == 0


def test_the_edge_of_the_image_is_no_boundary() -> None:
    left_half = np.zeros((90, 120), bool)
    left_half[:, :60] = True
    mask = BoxMask.from_frame(left_half)
    assert shift_boundary(BLANK, mask, -3).area == 90 * 57
    assert shift_boundary(BLANK, mask, 3).area == 90 * 63


@pytest.mark.parametrize("name", RIVALS)
def test_a_refiner_finds_the_disk_and_stays_in_its_band(name: str) -> None:
    if not is_here(RIVALS[name]):
        pytest.skip(f"{RIVALS[name].package} is not installed")
    image, truth, coarse = scene()
    refined = in_band(image, coarse, RIVALS[name].decide)
    assert overlap(refined, truth).iou > max(0.95, overlap(coarse, truth).iou)
    trimap = Trimap.around(coarse)
    window = refined.window(trimap.box)
    assert window[trimap.inside].all()
    assert not window[trimap.outside].any()


def test_masks_without_an_inside_or_an_outside_stay() -> None:
    dot, full = np.zeros((90, 120), bool), np.ones((90, 120), bool)
    dot[4, 4] = True
    for pixels in (dot, full):
        mask = BoxMask.from_frame(pixels)
        assert in_band(BLANK, mask, grab_cut).equals(mask)


def test_the_table(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("skimage")
    out = small_set.folder / "table.json"
    arguments = [str(small_set.results), "--ann", str(small_set.ann), "--img-dir", str(small_set.images)]
    assert main([*arguments, "--model", "starter-fast", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert printed == out.with_suffix(".md").read_text()
    assert printed.startswith("4 matched pairs; before: ")
    rows = json.loads(out.read_text())["methods"]
    methods = {method["name"]: method["comparison"]["changes"]["boundary_f"]["mean"] for method in rows}
    assert methods["constant step +0 px"] == 0
    assert methods["BPR starter-fast"] > 0
    assert {"GrabCut", "random walker"} <= set(methods)
    ours = rows[-1]
    assert ours["milliseconds"] > 0
    assert ours["mebibytes"] > ours["size"]  # the model is loaded in the process that is measured
    best = max((change, name) for name, change in methods.items() if name.startswith("constant step"))
    assert best[0] > 0  # the masks are 2 px too large
    assert methods[f"best {best[1]}"] == best[0]


def test_bad_input_ends_in_one_line(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    empty = small_set.write("empty.json", [])
    assert main([str(empty), "--ann", str(small_set.ann), "--img-dir", str(small_set.images), "--out", "unused"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
