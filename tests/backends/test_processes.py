"""A loaded model in a service: what it says of itself, threads that share it, processes that get it by its name."""

from __future__ import annotations

import logging
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import pytest

import bpr
from bpr.backends import named_models
from bpr.refinement.predictor import IdentityPredictor, PatchBatch
from bpr.refinement.refiner import CALLS_AT_ONCE
from bpr.scenes import coarse_masks, paint_scene
from tests.conftest import ROOT

SCENE = paint_scene(2, (120, 160))
MASKS = np.stack([mask.to_frame() for mask in coarse_masks(SCENE, "mask_head", 2)])


def test_repr_and_log_say_model_backend_provider_and_threads(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="bpr"):
        refiner = bpr.load("starter-fast", backend="onnxruntime")
    expected = r"starter-fast on onnxruntime, CPUExecutionProvider, threads: (\d+|all cores), batch size: 64"
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


FORKS = """
import faulthandler, os, signal, sys, threading
import numpy as np
import bpr
from bpr.geometry import reassembly
from tests.backends.test_processes import MASKS, SCENE

refiner = bpr.load("starter-fast", backend=sys.argv[1])
expected = refiner(SCENE.image, MASKS)

computing, forked, weights_in = threading.Event(), threading.Event(), reassembly._weights_in
def waits_for_the_fork(*arguments):
    computing.set()
    forked.wait()
    return weights_in(*arguments)
reassembly._weights_in = waits_for_the_fork
threading.Thread(target=refiner, args=(SCENE.image, MASKS)).start()
computing.wait()
reassembly._weights_in = weights_in
for turn in (refiner._turns, refiner.predictor._one_caller):
    turn.__enter__()  # as of two more threads

child = os.fork()
if not child:
    signal.alarm(120)
    faulthandler.dump_traceback_later(100)
    os._exit(0 if np.array_equal(refiner(SCENE.image, MASKS), expected) else 1)
forked.set()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


REPLACES = """
import os, signal, sys
import bpr

refiner = bpr.load("starter-fast", backend=sys.argv[1])
child = os.fork()
if not child:
    signal.alarm(30)
    refiner = bpr.load("identity")
    sys.exit()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("script", [FORKS, REPLACES], ids=["refines_too", "frees_no_session_of_its_parent_and_ends"])
def test_a_forked_process(script: str, backend: str) -> None:
    pytest.importorskip(backend)
    # ONNX Runtime does not report its use where it finds one of these; the threads that do would never end in the child.
    env = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    ran = subprocess.run([sys.executable, "-c", script, backend], cwd=ROOT, capture_output=True, text=True, env=env)
    assert ran.returncode == 0, ran.stderr


PEAK = """
import resource, sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import bpr
from bpr.scenes import coarse_masks, paint_scene

scene = paint_scene(1, (420, 560))
masks = np.stack([mask.to_frame() for mask in coarse_masks(scene, "mask_head", 1)])
refiner = bpr.load("starter-fast", backend=sys.argv[1])
threads = int(sys.argv[2])
with ThreadPoolExecutor(threads) as pool:
    for _ in pool.map(lambda number: refiner(scene.image, masks).sum(), range(max(2, threads))):
        pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_eight_threads_need_hardly_more_memory_than_one(backend: str) -> None:
    pytest.importorskip(backend)
    one, eight = (
        int(subprocess.run([sys.executable, "-c", PEAK, backend, threads], cwd=ROOT, stdout=-1, check=True).stdout)
        for threads in ("1", "8")
    )
    assert eight < 1.5 * one


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_threads_and_batch_size_are_chosen(backend: str) -> None:
    pytest.importorskip(backend)
    chosen = bpr.load("starter-fast", backend=backend, threads=1, batch_size=5)
    assert repr(chosen).endswith(", threads: 1, batch size: 5)")
    assert chosen.predictor.batch_size == 5
    assert np.array_equal(chosen(SCENE.image, MASKS), bpr.load("starter-fast", backend=backend)(SCENE.image, MASKS))
    assert bpr.load(preset="fast", threads=1, batch_size=5).predictor.batch_size == 5


@pytest.mark.parametrize("value", [0, -1, 2.0, True, "2"])
@pytest.mark.parametrize("name", ["threads", "batch_size"])
@pytest.mark.parametrize("model", [{"model": "identity"}, {"model": "starter-fast"}, {"preset": "fast"}], ids=str)
def test_numbers_that_cannot_be(model: dict[str, str], name: str, value: object) -> None:
    with pytest.raises(bpr.BPRError, match=f"^{name}: expected a whole number of 1 or more, got {value!r}$"):
        bpr.load(**model, **{name: value})


def test_callers_queue_and_a_few_hold_patches() -> None:
    """However many threads call: one is in the network, and at most two hold the patches of their image."""
    inside: list[int] = []
    most = []

    class Counts(IdentityPredictor):
        def predict(self, batch: PatchBatch) -> np.ndarray:
            inside.append(1)
            most.append(len(inside))
            answers = super().predict(batch)
            inside.pop()
            return answers

    refiner = bpr.Refiner(Counts(batch_size=4))
    with ThreadPoolExecutor(8) as pool:
        refined = list(pool.map(lambda number: refiner(SCENE.image, MASKS), range(16)))
    assert max(most) <= CALLS_AT_ONCE
    assert all(np.array_equal(masks, MASKS) for masks in refined)


def test_a_container_with_a_quota_gets_its_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own").write_text("0::/\n")
    (tmp_path / "cpu.max").write_text("100000 100000")
    monkeypatch.setattr("bpr.cores.GROUPS", tmp_path)
    monkeypatch.setattr("bpr.cores.OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    for backend in ("onnxruntime", "openvino"):
        pytest.importorskip(backend)
        assert ", threads: 1, " in repr(bpr.load("starter-fast", backend=backend))
