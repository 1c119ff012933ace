"""Models by name: folders, digests and cards."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

import bpr
from bpr.backends import folders, named_models
from bpr.backends.onnx_runtime import OnnxPredictor
from bpr.cli.main import main
from bpr.errors import BPRError
from bpr.io.files import sha256_of
from tests.scripts import run_tool

FAST = named_models()["starter-fast"]
FILES = "README.md", "config.json", "SHA256SUMS", ".bpr"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that BPR_MODELS names, with the model ``own``."""
    shutil.copy(FAST, tmp_path / "own.onnx")
    (tmp_path / "SHA256SUMS").write_text(f"{sha256_of(FAST)} *own.onnx\n")
    monkeypatch.setenv("BPR_MODELS", str(tmp_path))
    return tmp_path


def test_a_folder_of_more_models(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bpr.load("own").predictor.model == "own"
    (own / "config.json").write_text('{"models": {"own": {"licence": "CC0-1.0"}}}')
    assert main(["doctor"]) == 0
    _, _, listed = capsys.readouterr().out.partition("model own: ")
    assert f"  sha256: {sha256_of(FAST)}\n  licence: CC0-1.0\n  data: not stated\n" in listed


def test_every_model_that_comes_with_us_has_a_card_and_its_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BPR_MODELS", raising=False)
    assert {"starter", "starter-fast", "hrnet-w18s"} <= named_models().keys()
    for name, path in named_models().items():
        assert folders.check_digest(name, path) == sha256_of(path)
        assert "not stated" not in folders.card_of(path).values()


@pytest.mark.parametrize(
    ("sums", "line"),
    [
        ("", r"model own: expected own\.onnx to be listed in .*SHA256SUMS, got no such line; add it with sha256sum"),
        (f"{'0' * 64}  own.onnx", "model own: expected the file that .*SHA256SUMS lists, got another; install or copy it again"),
    ],
)
def test_a_file_that_is_not_the_one_listed(own: Path, capsys: pytest.CaptureFixture[str], sums: str, line: str) -> None:
    (own / "SHA256SUMS").write_text(sums)
    with pytest.raises(BPRError, match=f"^{line}$"):
        bpr.load("own")
    assert main(["doctor"]) == 1
    assert re.search(f"^problem: {line}$", capsys.readouterr().out, re.MULTILINE)


def test_a_card_of_another_form(own: Path) -> None:
    (own / "config.json").write_text('{"models": ["own"]}')
    with pytest.raises(BPRError, match=r'config\.json: expected \{"models": \{"own": \{\.\.\.\}\}\}, got another form'):
        folders.card_of(own / "own.onnx")


def test_two_files_of_one_name(own: Path) -> None:
    shutil.copy(FAST, own / "starter.onnx")
    with pytest.raises(BPRError, match=r"^model starter: expected one file of this name, got .*starter\.onnx and .*; rename one$"):
        bpr.load("starter")
    shutil.copy(FAST, own / "starter-fast.onnx")
    (own / "starter.onnx").unlink()
    assert named_models()["starter-fast"] == FAST, "an equal copy is no conflict"


def test_a_folder_that_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BPR_MODELS", str(tmp_path / "nope"))
    with pytest.raises(BPRError, match=r"^BPR_MODELS: expected a folder of models, got '.*nope'; correct it, or unset it$"):
        bpr.load("starter")


def test_a_repository_for_a_hub_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BPR_MODELS", raising=False)
    assert run_tool("model_repository", ["starter-fast", "--out", str(tmp_path / "hub")]) == 0
    monkeypatch.setattr(folders, "_folders", lambda: iter([tmp_path / "hub"]))
    assert {path.name for path in (tmp_path / "hub").iterdir()} == {*FILES, "starter-fast.onnx"}
    path = named_models()["starter-fast"]
    assert folders.check_digest("starter-fast", path) == sha256_of(FAST)
    assert folders.card_of(path) == folders.card_of(FAST)
    config, predictor = json.loads((tmp_path / "hub" / "config.json").read_text()), OnnxPredictor(path)
    (read,) = predictor._session.get_inputs()
    assert (read.name, read.type, read.shape[1:]) == ("patches", f"tensor({config['input']['type']})", config["input"]["shape"][1:])
    (given,) = predictor._session.get_outputs()
    assert (given.name, given.shape[1:]) == (config["output"]["name"], config["output"]["shape"][1:])
    block = (tmp_path / "hub" / "README.md").read_text().split("---\n")[1]
    assert block.startswith("license: other\nlicense_name: research-only\nlibrary_name: boundary-patch-refinement\n")
