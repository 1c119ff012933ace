"""The picture of the schemes, by library and by command."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from bpr.cli.main import main
from bpr.geometry.masks import BoxMask
from bpr.geometry.placement import SCHEMES
from bpr.report.draw import GAP, HEADER
from bpr.report.schemes import WIDTH, draw_schemes


def test_a_panel_per_scheme_side_by_side() -> None:
    mask = np.zeros((WIDTH, WIDTH), bool)
    mask[100:300, 100:300] = True
    image = np.full((WIDTH, WIDTH, 3), (200, 40, 40), np.uint8)
    picture = draw_schemes(image, [BoxMask.from_frame(mask)])
    assert picture.shape == (WIDTH + HEADER + 2 * GAP, len(SCHEMES) * (WIDTH + GAP) + GAP, 3)
    # The middle of a large object: no grid cell and no dense patch holds it, the instance's patch does.
    row, column = GAP + HEADER + 200, GAP + 200
    middle = {kind: picture[row, column + n * (WIDTH + GAP)].tolist() for n, kind in enumerate(SCHEMES)}
    assert middle["instance"] == [200, 40, 40]
    assert len(set(middle["grid"])) == len(set(middle["dense"])) == 1


def test_the_command_writes_a_picture(tmp_path: Path) -> None:
    out = tmp_path / "schemes.png"
    assert main(["analyze", "schemes", "--out", str(out)]) == 0
    assert cv2.imread(str(out)).shape[1] == len(SCHEMES) * (WIDTH + GAP) + GAP
