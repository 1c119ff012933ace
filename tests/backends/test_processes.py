"""A loaded model says what it runs on, and goes to other processes by its name."""

from __future__ import annotations

import logging
import multiprocessing
import re
import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import pytest

import bpr
from bpr.backends import named_models
from bpr.scenes import coarse_masks, paint_scene

SCENE = paint_scene(2, (120, 160))
MASKS = np.stack([mask.to_frame() for mask in coarse_masks(SCENE, "mask_head", 2)])


def test_repr_and_log_say_model_backend_provider_and_threads(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="bpr"):
        refiner = bpr.load("starter-fast", backend="onnxruntime")
    expected = r"starter-fast on onnxruntime, CPUExecutionProvider, (\d+|the default number of) threads, batches of 64"
    assert re.fullmatch(rf"Refiner\({expected}\)", repr(refiner))
    (record,) = caplog.records
    assert (record.levelno, record.name.partition(".")[0]) == (logging.INFO, "bpr")
    assert re.fullmatch(f"loaded {expected}", record.getMessage())


def test_a_library_that_is_not_asked_logs_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    bpr.load("starter-fast")
    assert capfd.readouterr() == ("", "")


@pytest.fixture(scope="module")
def own_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copy(named_models()["starter-fast"], tmp_path_factory.mktemp("own") / "own.onnx"))


def test_a_spawned_process_loads_the_model_by_its_name(own_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(own_model.parent)
    refiners = [
        bpr.load("starter-fast", backend="onnxruntime", caution=0.1, nms_iou=0.4),
        bpr.load("own.onnx"),
        bpr.load(preset="fast"),
        bpr.load("identity"),
    ]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        monkeypatch.chdir("/")
        for refiner in refiners:
            assert len(ForkingPickler.dumps(refiner)) < 2000
            assert np.array_equal(pool.submit(refiner, SCENE.image, MASKS).result(), refiner(SCENE.image, MASKS))
            options, recommended = pool.submit(_options, refiner).result()
            assert (options, recommended) == (refiner.options, refiner.predictor.recommended)
        with pytest.raises(bpr.BadImage, match="was the file found"):
            pool.submit(refiners[0], None, MASKS).result()


def _options(refiner: bpr.Refiner) -> tuple[object, object]:
    return refiner.options, refiner.predictor.recommended
