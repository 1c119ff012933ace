"""Which backend runs, and the one line where it cannot."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

import bpr
from bpr.backends import named_models
from bpr.backends.gates import gates_of, network_digest
from bpr.backends.registry import BACKENDS, Backend, choose
from bpr.cli.main import main
from bpr.errors import BPRError, install_hint
from bpr.io.files import read_json, write_json
from bpr.refinement.predictor import IdentityPredictor, PatchBatch
from tests.conftest import SmallSet


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The fast starter in a folder of its own, with no record beside it."""
    return Path(shutil.copy(named_models()["starter-fast"], tmp_path / "model.onnx"))


@pytest.fixture
def everything_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bpr.backends.registry.Backend.missing", lambda self: None)


def write_record(model: Path, **verdicts: bool) -> None:
    backends = {name.replace("_", "-"): {"passed": verdict} for name, verdict in verdicts.items()}
    write_json(model.with_name("parity.json"), {network_digest(model): {"backends": backends}})


@pytest.mark.usefixtures("everything_installed")
@pytest.mark.parametrize(
    ("verdicts", "chosen"),
    [
        ({}, "onnxruntime"),
        ({"openvino": True}, "openvino"),
        ({"openvino": False}, "onnxruntime"),
        ({"openvino": True, "onnxruntime_cuda": True}, "onnxruntime-cuda"),
        ({"openvino": True, "onnxruntime_cuda": False}, "openvino"),
        ({"openvino_bf16": True, "onnxruntime_tensorrt": True}, "onnxruntime"),
    ],
)
def test_auto_is_the_fastest_exact_one_that_passed(model: Path, verdicts: dict[str, bool], chosen: str) -> None:
    write_record(model, **verdicts)
    assert choose(model).name == chosen


def test_auto_takes_what_is_installed(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bpr.backends.registry.Backend.missing", lambda self: None if self.reference else "pip install it")
    write_record(model, openvino=True, onnxruntime_cuda=True)
    assert choose(model).name == "onnxruntime"


def test_a_model_without_a_record_runs_on_the_reference(model: Path) -> None:
    assert choose(model).name == "onnxruntime"
    assert choose(model.with_suffix(".pth")).name == "torch"
    assert not gates_of(model).get("openvino")


def test_another_file_of_the_same_name_has_passed_nothing(model: Path) -> None:
    write_record(model, openvino=True)
    assert gates_of(model).get("openvino")
    shutil.copy(named_models()["starter"], model)
    assert not gates_of(model).get("openvino")


def test_a_new_verdict_keeps_what_its_network_has_passed(model: Path) -> None:
    write_record(model, openvino=True)
    changed = onnx.load(str(model))
    changed.metadata_props[0].value = "{}"
    onnx.save(changed, str(model))
    assert gates_of(model).get("openvino")
    changed.graph.initializer[0].raw_data = bytes(len(changed.graph.initializer[0].raw_data))
    onnx.save(changed, str(model))
    assert not gates_of(model).get("openvino")


@pytest.mark.parametrize("content", [b"", b"\xff" * 50, b"no protocol buffer", b"\x3a\xff\xff\x03short"], ids=str)
def test_a_file_that_is_no_network_has_passed_nothing(tmp_path: Path, content: bytes) -> None:
    model = tmp_path / "model.onnx"
    write_json(model.with_name("parity.json"), {"0" * 64: {"backends": {"openvino": {"passed": True}}}})
    model.write_bytes(content)
    assert gates_of(model) == {}


def test_every_model_that_comes_along_was_measured() -> None:
    for name, path in named_models().items():
        record = read_json(path.with_name("parity.json"), "the record")
        measured = record[network_digest(path)]["backends"]
        assert measured.keys() >= {"onnxruntime", "openvino", "openvino-bf16"}, name
        assert measured["onnxruntime"]["passed"], name


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("tensorflow", "backend 'tensorflow': expected one of auto, onnxruntime-tensorrt, .*, torch"),
        ("torch", "backend torch: expected a .pth file, got starter-fast.onnx; it runs on .*openvino, onnxruntime"),
    ],
)
def test_a_backend_that_cannot_be(name: str, line: str) -> None:
    with pytest.raises(BPRError, match=line):
        bpr.load("starter-fast", backend=name)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("openvino", f"expected openvino to be installed, got none; {re.escape(install_hint('openvino'))}, or take auto"),
        ("onnxruntime-cuda", "expected CUDAExecutionProvider to be installed, got none; pip install onnxruntime-gpu .*"),
        ("onnxruntime-tensorrt", "expected TensorrtExecutionProvider to be installed, got none; .*"),
    ],
)
def test_what_is_not_installed_is_one_line(
    small_set: SmallSet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, line: str
) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda module: None if module == "openvino" else find(module))
    out = small_set.folder / "out.json"
    files = [str(small_set.results), "--img-dir", str(small_set.images), "--out", str(out)]
    assert main(["refine", *files, "--model", "starter-fast", "--backend", name]) == 1
    (said,) = capsys.readouterr().err.strip().splitlines()
    assert re.search(f"backend {name}: {line}", said), said
    assert not out.exists()


def test_refine_says_what_ran(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(small_set.results), "--img-dir", str(small_set.images), "--out", str(small_set.folder / "out.json")]
    assert main(["refine", *files, "--model", "starter-fast", "--backend", "onnxruntime"]) == 0
    assert "of the wall time, on onnxruntime\n" in capsys.readouterr().out
    assert main(["refine", *files, "--model", "identity"]) == 0
    assert "of the wall time\n" in capsys.readouterr().out


class Dark(IdentityPredictor):
    """Answers with background everywhere but in the first column of a patch."""

    provider, threads = "night", None

    def predict(self, batch: PatchBatch) -> np.ndarray:
        answers = np.zeros(batch.patches.shape[:3], np.float32)
        answers[:, :, 0] = 1
        return answers


def test_a_new_backend_is_one_row(small_set: SmallSet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    row = Backend("dark", ".dark", lambda path, **settings: Dark(), (("numpy",), "install it"), speed=1, reference=True)
    monkeypatch.setitem(BACKENDS, "dark", row)
    model = small_set.folder / "model.dark"
    model.write_bytes(b"anything")
    files = [str(small_set.results), "--img-dir", str(small_set.images), "--out", str(small_set.folder / "out.json")]
    for options in ([], ["--backend", "dark"]):
        assert main(["refine", *files, "--model", str(model), *options]) == 0
        assert ", on dark" in capsys.readouterr().out
    assert main(["refine", *files, "--model", "starter", "--backend", "dark"]) == 1
    assert "backend dark: expected a .dark file, got starter.onnx" in capsys.readouterr().err
