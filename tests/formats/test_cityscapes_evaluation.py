"""The official evaluation scripts of Cityscapes accept a refined folder as it is."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from bpr.cli.main import main
from tests.formats import layouts
from tests.formats.test_round_trips import FOLDERS, Layout


def ground_truth(folder: Path) -> list[str]:
    """gtFine instance ids: label * 1000 + number."""
    paths = []
    for stem, instances in layouts.MASKS.items():
        ids = np.full(layouts.FRAME, 7, np.uint16)
        for index, (label, _, mask) in enumerate(instances):
            ids[mask] = label * 1000 + index
        path = folder / stem.split("_")[0] / f"{stem}_gtFine_instanceIds.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), ids)
        paths.append(str(path))
    return paths


@pytest.mark.parametrize("layout", FOLDERS[:4])
def test_the_official_instance_evaluation_accepts_a_refined_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: Layout) -> None:
    scripts = pytest.importorskip("cityscapesscripts.evaluation.evalInstanceLevelSemanticLabeling")
    monkeypatch.chdir(tmp_path)  # the scripts write their matches to the working directory
    images, source, out = layouts.photographs(tmp_path), layout(tmp_path), tmp_path / "refined"
    assert main(["refine", str(source), "--img-dir", str(images), "--model", "identity", "--out", str(out)]) == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    truths, args = ground_truth(tmp_path / "gtFine"), scripts.args
    args.predictionPath, args.predictionWalk = str(out), None
    args.gtInstancesFile, args.JSONOutput, args.quiet = str(tmp_path / "gt.json"), False, True
    result = scripts.evaluateImgLists([scripts.getPrediction(truth, args) for truth in truths], truths, args)
    # Instances of fewer than 100 pixels do not count; all others are found.
    assert result["averages"]["classes"]["car"]["ap"] == pytest.approx(1)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
