"""The study of photo sizes, on images so small that only its bookkeeping is tested."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("skimage")

from benchmarks.studies import photo_sizes
from benchmarks.studies.sources import Source
from tests.conftest import SmallSet


def test_every_way_is_measured_on_the_largest_object_of_every_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = SmallSet(tmp_path / "set")
    shutil.copytree(small.images, tmp_path / "images")
    source = Source("toy", "images", str(small.ann), str(small.results))
    monkeypatch.setattr(photo_sizes, "SOURCES", [source])
    monkeypatch.setattr(photo_sizes, "SCALES", (1, 2))
    monkeypatch.setattr(photo_sizes, "MEGAPIXELS", (0.02, 0.04))
    words = [str(tmp_path), "identity", "--makers", "3 px large"]
    monkeypatch.setattr(photo_sizes, "model_file", lambda model: small.ann)
    assert photo_sizes.main([*words, "--repeats", "1", "--out", str(tmp_path / "out")]) == 0
    report = json.loads((tmp_path / "out" / "identity.json").read_text())
    (row,) = report["rows"]
    assert row["masks"] == 2
    assert list(row["ways"]) == ["1x", "2x", photo_sizes.SHRUNK]
    assert all(one["iou"] == pytest.approx(one["iou_before"], abs=0.01) for one in row["ways"].values())
    assert set(report["times"]) == {"0.02", "0.04"}
    assert capsys.readouterr().out.count("| toy |") == 3


def test_enlarged_masks_keep_their_share_of_the_image() -> None:
    rows, columns = np.mgrid[:60, :80]
    disk = np.hypot(rows - 30, columns - 40) < 20
    for scale in (2, 4, 2.5):
        assert photo_sizes.enlarged(disk, scale).mean() == pytest.approx(disk.mean(), rel=0.01)
