"""The README's Python runs as it stands, where there is no torch."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from bpr.scenes import coarse_masks, paint_scene
from tests.conftest import ROOT
from tests.test_house import HEAVY

README = ROOT / "README.md"

BLOCKER = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {sorted(HEAVY)}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
"""


def python_block() -> str:
    """The README's first example."""
    block = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert block, "README.md: expected a python block"
    return block[1]


def write_photo(folder: Path) -> np.ndarray:
    """The files that the example reads; returns its coarse mask, (H, W) bool."""
    scene = paint_scene(0, (150, 200))
    coarse = coarse_masks(scene, "mask_head", 0)[0].to_frame()
    cv2.imwrite(str(folder / "photo.jpg"), cv2.cvtColor(scene.image, cv2.COLOR_RGB2BGR))
    cv2.imwrite(str(folder / "mask.png"), coarse.astype(np.uint8) * 255)
    return coarse


def refined_well(folder: Path, coarse: np.ndarray) -> None:
    """Assert that the file which the example wrote is the mask with another boundary."""
    refined = cv2.imread(str(folder / "refined.png"), cv2.IMREAD_GRAYSCALE)
    assert set(np.unique(refined)) == {0, 255}
    assert 0 < np.count_nonzero((refined > 0) != coarse) < coarse.sum() / 2


def test_the_python_of_the_readme_runs_without_torch(tmp_path: Path) -> None:
    block = python_block()
    assert len(block.strip().splitlines()) <= 6
    coarse = write_photo(tmp_path)
    (tmp_path / "readme.py").write_text(BLOCKER + block, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run([sys.executable, "readme.py"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    refined_well(tmp_path, coarse)


@pytest.mark.parametrize("name", sorted(HEAVY))
def test_the_blocker_blocks(name: str) -> None:
    ran = subprocess.run([sys.executable, "-c", f"{BLOCKER}\nimport {name}"], capture_output=True, text=True)
    assert f"ModuleNotFoundError: No module named '{name}'" in ran.stderr
