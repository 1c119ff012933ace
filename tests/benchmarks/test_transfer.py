"""The transfer matrix at toy size: three trainings, every detector refined by every network, resumed by item."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from benchmarks.transfer import DETECTORS, TRAIN, VAL, main, paired
from tests.conftest import SmallSet


def toy_data(folder: Path) -> Path:
    """The layout of DATA, every set the same two images."""
    small = SmallSet(folder / "set")
    for images in (*TRAIN.values(), *VAL.values()):
        shutil.copytree(small.images, folder / images.images)
        for source, target in ((small.ann, images.annotations), (small.results, images.yolo)):
            (folder / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / target)
    return folder


def test_every_network_refines_every_detector_and_nothing_is_done_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, work, out = toy_data(tmp_path / "data"), tmp_path / "work", tmp_path / "transfer.json"
    words = [str(data), "--work", str(work), "--out", str(out), "--iterations"]
    assert main([*words, "2", "--only", "yolo"]) == 0
    assert not out.exists()
    for name in DETECTORS[1:]:  # to save two trainings; it also shows that a finished one is taken as it is
        shutil.copytree(work / "train" / "yolo", work / "train" / name)
    lost = work / "cells" / "yolo_refines_polygon_davis_val.json"
    lost.unlink()
    made = {path: path.stat().st_mtime_ns for path in work.rglob("*") if path.is_file()}

    assert main([*words, "2"]) == 0
    assert lost.is_file()
    assert all(path.stat().st_mtime_ns == time for path, time in made.items())
    cells = json.loads(out.read_text())["cells"]
    assert len(cells) == len(VAL) * len(DETECTORS) ** 2
    assert all(cell["pairs"] == 4 for cell in cells)
    assert len({cell["before"]["iou"] for cell in cells}) == len(DETECTORS)
    table = out.with_suffix(".md").read_text()
    assert table.count("| yolo |") == table.count("| polygon |") == len(VAL)

    assert main([*words, "3"]) == 1
    assert "choose another --work" in capsys.readouterr().err


def test_only_the_detections_of_the_pairs_are_refined(small_set: SmallSet) -> None:
    unmatched = {**small_set.records[0], "category_id": 8}
    records, pairs = paired([unmatched, *small_set.records, {**small_set.records[1], "score": 0.01}], small_set.document)
    assert records == small_set.records
    assert [pair.record for pair in pairs] == [0, 1, 2, 3]
