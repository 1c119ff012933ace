"""The best checkpoint is the one that refines a held-out set best."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from bpr.cli.main import main
from tests.conftest import SmallSet
from tests.training.toy_runs import TOY_MODEL, extract, held_out, leaf, logged

BASES = (TOY_MODEL, "datasets/starter_patches", "schedules/adamw_ema", "validated_runtime")

# A leaf as a user would write it: how often, and eight iterations, the last four of them with far too high a rate.
LEAF = """
model = dict(data_preprocessor=dict(input_side=64, inputs={{_base_.refinement.patch.inputs}}))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=8, val_interval=4)
optim_wrapper = dict(optimizer=dict(lr=0.05))
param_scheduler = [dict(type='MultiStepLR', milestones=[4], gamma=30, by_epoch=False)]
custom_hooks = [dict(type='EMAHook', ema_type='ExponentialMovingAverage', momentum=0.3, update_buffers=True)]
default_hooks = dict(checkpoint=dict(interval=4))
"""
BOUNDARY_F = "F@2px/after"


@pytest.fixture(scope="module")
def validated(tmp_path_factory: pytest.TempPathFactory) -> tuple[SmallSet, Path]:
    folder = tmp_path_factory.mktemp("validation")
    data = SmallSet(folder / "set")
    stores = f"train_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(stores={str(folder / 'store')!r}))\n"
    config = leaf(folder, BASES, LEAF + held_out(data) + stores)
    extract(data, folder / "store", config)
    assert main(["train", config, "--work-dir", str(folder / "work")]) == 0
    return data, folder / "work"


def test_validation_says_what_refine_and_eval_say(validated: tuple[SmallSet, Path], tmp_path: Path) -> None:
    """Through files, with the averaged weights of the checkpoint, the numbers are the same."""
    data, work_dir = validated
    refined, summary = tmp_path / "refined.json", tmp_path / "summary.json"
    model = ["--model", str(work_dir / "iter_8.pth"), "--img-dir", str(data.images), "--ann", str(data.ann)]
    assert main(["refine", str(data.results), *model, "--out", str(refined)]) == 0
    assert main(["eval", str(refined), "--ann", str(data.ann), "--before", str(data.results), "--out", str(summary)]) == 0
    rows, last = json.loads(summary.read_text())["rows"], logged(work_dir, BOUNDARY_F)[-1]
    for name in ("IoU", "BoundaryIoU@0.02", "F@2px"):
        assert last[f"{name}/before"] == pytest.approx(rows[f"{name}/matched"]["before"])
        assert last[f"{name}/after"] == pytest.approx(rows[f"{name}/matched"]["value"])
        assert abs(last[f"{name}/change"]) > 0.001, "a network that changes nothing shows nothing"


def test_the_best_checkpoint_is_that_of_the_best_boundaries_also_after_a_resume(validated: tuple[SmallSet, Path]) -> None:
    _, work_dir = validated
    first, second = logged(work_dir, BOUNDARY_F)
    assert first[BOUNDARY_F] > second[BOUNDARY_F]
    assert [path.name for path in work_dir.glob("best_*iter_?.pth")] == ["best_F@2px_after_iter_4.pth"]
    options = ["--cfg-options", "train_cfg.max_iters=9"]
    assert main(["train", str(work_dir.parent / "leaf.py"), "--work-dir", str(work_dir), "--resume", *options]) == 0
    assert logged(work_dir, BOUNDARY_F)[-1][BOUNDARY_F] < first[BOUNDARY_F]
    assert [path.name for path in work_dir.glob("best_*iter_?.pth")] == ["best_F@2px_after_iter_4.pth"]


def test_a_held_out_set_that_says_nothing_is_refused(
    validated: tuple[SmallSet, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(validated[1].parent / "leaf.py")
    assert main(["train", config, "--work-dir", str(tmp_path), "--cfg-options", "val_cfg.min_score=0.95"]) == 1
    assert "expected detections that match annotations in 2 held-out images, got none" in capsys.readouterr().err
    assert main(["train", config, "--work-dir", str(tmp_path), "--cfg-options", f"val_cfg.images={tmp_path}"]) == 1
    assert "000001.png: no such image; expected image 1 of the held-out set there" in capsys.readouterr().err
    small = tmp_path / "small"
    small.mkdir()
    for file in validated[0].images.iterdir():
        cv2.imwrite(str(small / file.name), np.zeros((60, 80, 3), np.uint8))
    assert main(["train", config, "--work-dir", str(tmp_path), "--cfg-options", f"val_cfg.images={small}"]) == 1
    expected = "expected images of the height and width of their masks, got 2 others: 000001.png is 60x80, not 120x160"
    assert expected in capsys.readouterr().err
