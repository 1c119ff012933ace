"""The compiled loops give what numpy and OpenCV give, bit for bit; damaged files and a broken Numba do no harm."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bpr.compiled import kernels, uncompiled
from bpr.geometry.evidence import evidence_table
from bpr.geometry.masks import BoxMask
from bpr.geometry.options import PatchSpec, RefineOptions
from bpr.geometry.patches import crop_patches, patch_boxes
from bpr.geometry.reassembly import Blended
from tests.conftest import ROOT

CHOICES = [
    (PatchSpec(16), RefineOptions()),
    (PatchSpec(24, 5, ("rgb", "mask", "evidence")), RefineOptions(nms_iou=0, cover_margin=0, blend="centred")),
    (PatchSpec(32, inputs=("rgb", "evidence", "mask")), RefineOptions(nms_iou=0.6, cover_margin=7, caution=0.1)),
    (PatchSpec(64, inputs=("rgb",)), RefineOptions()),
]
FRAMES = [(90, 120), (40, 37), (20, 150), (7, 5), (1, 60)]


def both(call: Callable[[], Any]) -> tuple[Any, Any]:
    """A call's results in numpy and compiled."""
    with uncompiled():
        assert kernels() is None
        plain = call()
    assert kernels() is not None
    return plain, call()


def blobs(seed: int, frame: tuple[int, int]) -> BoxMask:
    noise = cv2.GaussianBlur(np.random.default_rng(seed).standard_normal(frame), (0, 0), 1 + seed % 5)
    return BoxMask.from_frame(noise > np.quantile(noise, (0.3, 0.6, 0.95)[seed % 3]))


def same(a: BoxMask, b: BoxMask) -> bool:
    return (a.left, a.top, a.frame) == (b.left, b.top, b.frame) and np.array_equal(a.pixels, b.pixels)


@pytest.mark.parametrize("frame", FRAMES, ids=str)
@pytest.mark.parametrize(("spec", "options"), CHOICES, ids=lambda value: str(getattr(value, "side", "")))
@pytest.mark.parametrize("seed", range(4))
def test_boxes_patches_and_refined_masks_are_equal(
    spec: PatchSpec, options: RefineOptions, frame: tuple[int, int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    mask, image = blobs(seed, frame), rng.integers(0, 256, (*frame, 3), dtype=np.uint8)
    plain, boxes = both(lambda: patch_boxes(mask, spec, options))
    assert boxes.dtype == plain.dtype == np.int32
    assert np.array_equal(plain, boxes)

    plain, patches = both(lambda: crop_patches(image, mask, boxes, spec))
    assert np.array_equal(plain, patches)

    probabilities = rng.random(patches.shape[:3], np.float32)
    leaning = (options.caution, -options.caution)
    for given in (probabilities, probabilities.astype(np.float64), probabilities[:, :, ::-1]):
        plain, refined = both(lambda given=given: Blended.of(mask, boxes, given, spec, options.blend).refined(leaning))
        assert same(plain, refined)


def test_a_mask_that_vanishes_stays() -> None:
    mask = BoxMask(np.ones((10, 10), bool), 20, 20, (60, 60))
    probabilities = np.zeros((1, 16, 16), np.float32)
    plain, fast = both(lambda: Blended.of(mask, np.array([[16, 16, 32, 32]]), probabilities, PatchSpec(16), "mean").refined())
    assert same(plain, fast)
    assert same(fast, mask)


def test_patches_that_reach_beyond_the_arrays_are_added_where_they_lie() -> None:
    compiled = kernels()
    assert compiled is not None
    excess, covered = np.zeros((6, 6), np.float32), np.zeros((6, 6), bool)
    corners = np.array([[-3, -2], [4, 5], [-9, 0], [0, 40]])
    compiled.add_patches(excess, covered, corners, np.ones((4, 4, 4), np.float32), 0, np.ones(4, np.float32))
    expected = np.zeros((6, 6))
    expected[:2, :1] = expected[5:, 4:] = 0.5
    assert np.array_equal(excess, expected)
    assert np.array_equal(covered, expected > 0)


@pytest.mark.parametrize("frame", FRAMES, ids=str)
def test_evidence_is_equal_for_full_thin_and_large_masks(frame: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*frame, 3), dtype=np.uint8)
    shapes = [np.s_[:, :], np.s_[:1, :], np.s_[: frame[0] // 2, 2:], np.s_[0:0, 0:0]]
    for shape in shapes:
        pixels = np.zeros(frame, bool)
        pixels[shape] = True
        plain, fast = both(lambda pixels=pixels: evidence_table(image, BoxMask.from_frame(pixels)))
        assert np.array_equal(plain, fast)


def test_images_and_masks_of_any_memory_layout_are_taken() -> None:
    image, mask = np.random.default_rng(2).integers(0, 256, (80, 90, 3), dtype=np.uint8), blobs(4, (80, 90))
    locked = image.copy()
    locked.flags.writeable = False
    by_columns = BoxMask(np.asfortranarray(mask.pixels), mask.left, mask.top, mask.frame)
    for view in (image[..., ::-1], np.asfortranarray(image), locked, np.repeat(image, 2, axis=1)[:, ::2]):
        for seen in (mask, by_columns):
            plain, fast = both(lambda view=view, seen=seen: evidence_table(view, seen))
            assert np.array_equal(plain, fast)
            spec, options = CHOICES[1]
            boxes = patch_boxes(seen, spec, options)
            plain, fast = both(lambda view=view, seen=seen: crop_patches(view, seen, boxes, spec))  # noqa: B023
            assert np.array_equal(plain, fast)


ANY = "from bpr.compiled import kernels; print(kernels())"


def run(path: Path, **environment: str) -> str:
    """What a new process prints that asks for the loops, with ``path`` before everything else that it imports from."""
    given = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    asked = subprocess.run([sys.executable, "-c", ANY], cwd=path, env=given, capture_output=True, text=True, check=False)
    return asked.stdout + asked.stderr


def test_damaged_machine_code_costs_a_compilation(tmp_path: Path) -> None:
    # A copy of the package brings the machine code that earlier tests left, so that only the damaged one is compiled.
    shutil.copytree(ROOT / "bpr", tmp_path / "bpr", ignore=shutil.ignore_patterns("assets", "*.tmp.*"))
    beside = {"NUMBA_CACHE_DIR": ""}
    assert str(tmp_path / "bpr" / "compiled" / "loops.py") in run(tmp_path, **beside)
    files = sorted(tmp_path.rglob("*.nb?"))  # of every loop its code and its index, one after the other
    assert len(files) >= 4
    for number, path in enumerate(files[:4]):  # two loops: one that is cut short, and one that is empty
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2] if number // 2 % 2 else b"")
    printed = run(tmp_path, **beside)
    assert "loops.py" in printed
    assert "Warning" not in printed


def test_numba_is_left_alone_where_it_is_disabled(tmp_path: Path) -> None:
    assert run(tmp_path, NUMBA_DISABLE_JIT="1").split() == ["None"]


def test_a_broken_numba_costs_a_warning(tmp_path: Path) -> None:
    (tmp_path / "numba").mkdir()
    (tmp_path / "numba" / "__init__.py").write_text("raise OSError('no libllvmlite.so')")
    printed = run(tmp_path)
    assert "None" in printed
    assert "Numba is installed but cannot be used (no libllvmlite.so)" in printed
    assert "Traceback" not in printed
