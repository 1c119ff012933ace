"""Presets: a bundle of model, precision and share of the patches."""

from pathlib import Path
from typing import Any

import pytest

import bpr
from bpr.backends import presets
from bpr.backends.presets import PRESETS, load_preset, multiplies_bytes
from bpr.cli.main import main
from bpr.refinement.predictor import IdentityPredictor


def test_fast_spends_fewer_patches_and_an_option_goes_before_it() -> None:
    assert bpr.load(preset="fast").options.keep == PRESETS["fast"].keep < 1
    assert bpr.load(preset="fast", keep=0.25, nms_iou=None).options.keep == 0.25


def test_int8_only_where_the_processor_multiplies_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []
    def load_predictor(model: str, backend: str, **settings: Any) -> IdentityPredictor:
        loaded.append((model, backend))
        return IdentityPredictor()

    monkeypatch.setattr(presets, "load_predictor", load_predictor)
    monkeypatch.setattr(presets, "gates_of", lambda model: {presets.INT8_BACKEND: True})
    for able in (True, False):
        monkeypatch.setattr(presets, "multiplies_bytes", lambda able=able: able)
        load_preset("balanced")
    monkeypatch.setattr(presets, "multiplies_bytes", lambda: True)
    monkeypatch.setattr(presets, "gates_of", lambda model: {})
    load_preset("balanced")
    assert loaded[-2:] == [("starter", "auto"), ("starter", "auto")]
    assert loaded[0] in [("starter.int8", "openvino-bf16"), ("starter", "auto")]  # the latter without OpenVINO


@pytest.mark.parametrize(("flags", "able"), [("flags : sse avx512_vnni", True), ("flags : avx_vnni", True), ("flags : avx2", False)])
def test_what_linux_says_of_the_processor(flags: str, able: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cpuinfo").write_text(flags)
    monkeypatch.setattr(presets, "Path", lambda _: tmp_path / "cpuinfo")
    assert multiplies_bytes() is able


def test_a_preset_names_its_own_model(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(bpr.BPRError, match="expected no model, config or backend with it"):
        bpr.load("starter", preset="fast")
    with pytest.raises(bpr.BPRError, match="expected one of accurate, balanced, fast"):
        bpr.load(preset="slow")
    (tmp_path / "r.json").write_text("[]")
    command = ["refine", str(tmp_path / "r.json"), "--img-dir", str(tmp_path), "--out", str(tmp_path / "o.json"), "--preset", "fast"]
    assert main([*command, "--model", "starter"]) == 2
    assert "expected no model, config or backend with it" in capsys.readouterr().err
