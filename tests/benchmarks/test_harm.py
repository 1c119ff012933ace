"""The rule that sorts harmed masks, on edges whose place is known, and its report."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.painted_set import write_set
from benchmarks.studies import harm
from benchmarks.studies.harm import OFF_EDGE, REAL_HARM, UNDECIDABLE, closer_to_edges, main, sort_of
from benchmarks.studies.sources import Source
from bpr.geometry.masks import BoxMask


def disk(radius: int, left: int = 0) -> BoxMask:
    return BoxMask.from_frame(cv2.circle(np.zeros((90, 120), np.uint8), (60 - left, 45), radius, 1, -1))


def test_the_outline_on_the_edge_is_the_closer_one() -> None:
    """A grey disk on dark ground: outlines that are 3 px too large, one of them as the truth and one as the refined mask."""
    image = np.repeat(20 + 100 * disk(30).to_frame().astype(np.uint8)[..., None], 3, axis=2)
    found = closer_to_edges(image, disk(33), disk(30))
    assert found == pytest.approx(3, abs=0.6)
    assert sort_of(found) == OFF_EDGE
    swapped = closer_to_edges(image, disk(30), disk(33))
    assert swapped == -found
    assert sort_of(swapped) == REAL_HARM


def test_what_no_edge_decides_is_undecidable() -> None:
    plain = np.full((90, 120, 3), 80, np.uint8)
    assert sort_of(closer_to_edges(plain, disk(33), disk(30))) == UNDECIDABLE
    assert closer_to_edges(plain, disk(30), disk(30)) is None  # nothing is disputed


def test_the_report_counts_the_masks_that_lose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every mask counts as one that lost, so all are sorted."""
    masks = write_set(tmp_path, scenes=1, frame=(160, 200))
    monkeypatch.setitem(harm.SETS, "davis_val", Source("painted", "images", "instances.json", "coarse.segm.json"))
    monkeypatch.setattr(harm, "CLEARLY", -1.0)
    out, sheets = tmp_path / "out", tmp_path / "sheets"
    assert main([str(tmp_path), "starter-fast", "--sets", "davis_val", "--out", str(out), "--sheet", str(sheets)]) == 0
    report = json.loads((out / "davis_val.json").read_text())
    assert report["harmed"] == report["sampled"] == len(report["cases"]) <= report["masks"] <= masks
    assert sum(row["masks"] for row in report["sorts"].values()) == report["sampled"] > 0
    assert all(case["sort"] == sort_of(case["closer"]) for case in report["cases"])
    assert cv2.imread(str(sheets / "davis_val.jpg")) is not None
