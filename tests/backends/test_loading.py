"""A model or an option that cannot be used is one line that says why."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import bpr
from bpr.backends import named_models
from bpr.backends.onnx_runtime import OnnxPredictor
from bpr.cli.main import main
from bpr.errors import BPRError, install_hint
from tests.conftest import SmallSet


def refused(line: str, *arguments: Any, **options: Any) -> None:
    with pytest.raises(BPRError, match=f"^{line}$"):
        bpr.load(*arguments, **options)


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Hide a module, as where it is not installed."""
    find = importlib.util.find_spec

    def hide(name: str) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda module: None if module == name else find(module))

    return hide


def test_a_name_that_is_none() -> None:
    refused("model 'nope': expected one of identity, .*starter.*, or a .onnx or .pth file", "nope")


@pytest.mark.parametrize("suffix", [".onnx", ".pth"])
def test_a_file_that_is_not_there(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "parity.json").write_text('{"a digest": {}}')
    refused(f".*nope{suffix}: no such model file; expected one that bpr export or bpr train wrote", str(tmp_path / f"nope{suffix}"))


@pytest.mark.parametrize("suffix", [".onnx", ".pth"])
def test_a_folder(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / f"folder{suffix}"
    folder.mkdir()
    refused(f".*folder{suffix}: expected a model file, got a folder; name the file in it", str(folder))


@pytest.mark.parametrize("module", ["torch", "mmseg"])
@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_a_checkpoint_without_the_train_extra(tmp_path: Path, without: Any, module: str, backend: str) -> None:
    without(module)
    (tmp_path / "fake.pth").write_bytes(b"")
    remedy = f"expected {module} to be installed, got none; {re.escape(install_hint('train'))}"
    refused(f".*: {remedy}(, or take auto)?", str(tmp_path / "fake.pth"), backend=backend)


def test_a_checkpoint_without_its_config(tmp_path: Path) -> None:
    pytest.importorskip("mmseg")
    (tmp_path / "fake.pth").write_bytes(b"")
    refused(r".*fake.pth: expected one config \(.py\) in its folder, got 0; name it with --config", str(tmp_path / "fake.pth"))


@pytest.mark.parametrize("content", [b"", b"not a model", named_models()["starter-fast"].read_bytes()[:100_000]])
def test_a_file_that_is_no_model(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "fake.onnx").write_bytes(content)
    reason = "expected a model that bpr export wrote, but ONNX Runtime cannot load it"
    refused(rf".*fake\.onnx: {reason} \([^:]+\); export it again", str(tmp_path / "fake.onnx"), backend="onnxruntime")


@pytest.fixture
def damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The fast starter with a flipped byte among its weights, in the place of the one that was installed."""
    content = bytearray(named_models()["starter-fast"].read_bytes())
    content[len(content) // 2] ^= 0x40
    shutil.copy(named_models()["starter-fast"].with_name("SHA256SUMS"), tmp_path)
    path = tmp_path / "starter-fast.onnx"
    path.write_bytes(content)
    monkeypatch.setattr("bpr.backends.named_models", lambda: {"starter-fast": path})
    return path


def test_a_model_of_ours_that_is_damaged(damaged: Path) -> None:
    OnnxPredictor(damaged)  # the runtime sees nothing wrong
    refused(r"model starter-fast: expected the file that .*SHA256SUMS lists, got another; install or copy it again", "starter-fast")


@pytest.mark.parametrize("model", ["starter", "identity", "own.onnx"])
def test_a_config_beside_an_exported_model(model: str) -> None:
    refused(rf"model {model}: expected no config with it, got x\.py; only a \.pth file needs one, leave it out", model, "x.py")


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("keep", "a", "a share in (0, 1]"),
        ("max_patches", 2.5, "a whole number of 1 or more"),
        ("nms_iou", "x", "a number in [0, 1)"),
        ("caution", "x", "auto, or a probability in [0, 0.5)"),
    ],
)
def test_an_option_of_another_type_or_range(option: str, value: Any, expected: str) -> None:
    for model in ("starter", "identity"):
        refused(re.escape(f"{option}: expected {expected}, got {value!r}"), model, **{option: value})


def test_an_option_beyond_its_range_in_a_run(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(small_set.results), "--img-dir", str(small_set.images), "--out", str(small_set.folder / "out.json")]
    assert main(["refine", *files, "--keep", "5"]) == 2
    assert capsys.readouterr().err == "bpr refine: keep: expected a share in (0, 1], got 5.0\n"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--model", "oracle"], "--model oracle: expected the ground truth in --ann, got none"),
        (["--model", "identity", "--config", "x.py"], "model identity: expected no config with it, got x.py; "),
        (["--model", "identity", "--preset", "fast"], "preset 'fast': expected no model, config or backend with it; "),
    ],
)
def test_options_that_do_not_fit_together_are_wrong_usage(
    small_set: SmallSet, capsys: pytest.CaptureFixture[str], options: list[str], line: str
) -> None:
    files = [str(small_set.results), "--img-dir", str(small_set.images), "--out", str(small_set.folder / "out.json")]
    assert main(["refine", *files, *options]) == 2
    assert capsys.readouterr().err.startswith(f"bpr refine: {line}")
