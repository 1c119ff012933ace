"""Fitting a verdict: it learns what the numbers show, and the script writes a model that has one."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import bpr
from bpr.geometry.masks import BoxMask
from bpr.geometry.options import LEANINGS
from bpr.geometry.rle import encode_mask
from bpr.refinement.verdict.features import FEATURES
from bpr.scenes import paint_scene
from bpr.training import verdict
from bpr.training.verdict import Samples, fit, judged
from tests.scripts import run_tool


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdict, "STEPS", 300)


def samples(count: int, seed: int) -> Samples:
    """Masks whose change of IoU is three times their first input, at every leaning but the last, which only harms."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(count, 2 * FEATURES + 1)).astype(np.float32)
    gains = np.repeat(3 * inputs[:, :1], len(LEANINGS), axis=1)
    gains[:, -1] = -6
    return Samples(inputs, gains, np.zeros_like(gains), np.full(count, "set"), np.full(count, "real"), np.arange(count))


def test_it_takes_what_gains_and_keeps_what_harms() -> None:
    model, unseen = fit(samples(2000, 0), aversion=1.0, boundary_weight=1.0, least=0.1), samples(500, 1)
    got, _, expected = judged(model, unseen)
    best = np.maximum(unseen.gains[:, 0], 0)
    assert got.mean() > 0.8 * best.mean()
    assert (got < -1).mean() < 0.02
    assert abs(expected.mean() - got.mean()) < 0.2


def test_a_change_that_only_f_shows_is_taken() -> None:
    """At one leaning F rises with the first input, and IoU never changes."""
    seen, unseen = samples(2000, 0), samples(500, 1)
    for part in (seen, unseen):
        part.gains[:] = 0
        part.boundary_gains[:, 2] = 8 * part.inputs[:, 0]
    best, taken, _ = fit(seen, aversion=1.0, boundary_weight=1.0, least=0.1).choose(unseen.inputs)
    rises = unseen.boundary_gains[:, 2] > 2
    assert (best[rises] == 2).mean() > 0.95
    assert taken[rises].mean() > 0.95


def test_equal_seeds_give_equal_verdicts() -> None:
    one, other = (fit(samples(300, 0), 1.0, 1.0, 0.1, seed=3) for _ in range(2))
    assert np.array_equal(one.last, other.last)


def test_the_script_adds_a_verdict_that_the_model_uses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    images, annotations, detections = [], [], []
    for number in range(4):
        scene = paint_scene(number, (90, 120))
        name = f"{number}.png"
        cv2.imwrite(str(tmp_path / name), scene.image[..., ::-1])
        images.append({"id": number, "file_name": name, "height": 90, "width": 120})
        for mask in scene.masks:
            record = {"id": len(annotations) + 1, "image_id": number, "category_id": 1, "segmentation": encode_mask(mask)}
            annotations.append({**record, "area": mask.area, "bbox": mask.bbox, "iscrowd": 0})
        wrong = BoxMask.from_frame(np.eye(90, 120, dtype=bool))
        false = {"image_id": number, "category_id": 1, "score": 0.9, "segmentation": encode_mask(wrong)}
        detections += [{**annotations[-1], "score": 0.8}, false]
    monkeypatch.setattr(verdict, "STEPS", 50)
    document = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "thing"}]}
    (tmp_path / "ann.json").write_text(json.dumps(document))
    (tmp_path / "found.json").write_text(json.dumps(detections))
    source = {"name": "painted", "results": str(tmp_path / "found.json"), "img_dir": str(tmp_path), "makers": 2}
    source |= {"ann": str(tmp_path / "ann.json")}
    config = tmp_path / "verdict.py"
    worn = {**source, "name": "painted, worn", "worn": True}
    config.write_text(f"sources = [{source!r}, {worn!r}]\nverdict = dict(aversion=3.0, boundary_weight=1.0, least=0.05)\n")
    out = tmp_path / "judged.onnx"
    assert run_tool("fit_verdict", [str(config), "starter-fast", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "| painted | perfect | " in printed
    assert "| painted, worn | perfect | " in printed
    assert "| painted | real | 4 | " in printed  # the false detection has no ground truth, so it is no sample
    refiner = bpr.load(str(out))
    assert refiner.options.caution == "auto"
    scene = paint_scene(9, (120, 160))
    result = refiner(scene.image, np.stack([mask.to_frame() for mask in scene.masks]), return_verdict=True)
    assert {verdict.taken for verdict in result.verdicts} <= {"all", "part", "nothing"}
