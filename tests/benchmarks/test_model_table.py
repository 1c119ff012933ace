"""The table of models: one row per network, counted and timed in both runtimes, which must agree."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import model_table
from bpr.io.files import read_json
from tests.conftest import ROOT

CONFIG = ROOT / "configs" / "bpr_mobilenet-v3s_4xb8-160k_cityscapes-128x128.py"


def test_a_row_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "models.json"
    small = tmp_path / "small.py"
    small.write_text(f"_base_ = [{str(CONFIG)!r}]\nmodel = dict(data_preprocessor=dict(input_side=32))\n")
    monkeypatch.setattr(model_table, "SECONDS", 1e-9)  # one batch will do
    assert model_table.main([str(small), "--threads", "1", "--out", str(out)]) == 0
    row = read_json(out, "the table")["rows"]["small"]
    assert row["difference"] < 2e-3  # weights are stored in half precision
    assert row["torch"]["patches_per_second"] > 0
    assert row["onnx"]["repeats"] == 1
    assert "| small | 32 | rgb, mask | 1.01 M | 0.01 |" in out.with_suffix(".md").read_text()

    monkeypatch.delattr(model_table, "measure")
    capsys.readouterr()
    assert model_table.main([str(small), "--threads", "1", "--out", str(out)]) == 0
    assert "| small | 32 |" in capsys.readouterr().out


def test_configs_that_differ_in_data_or_schedule_share_a_row() -> None:
    names = [f"bpr_hrnet-w18s_4xb8-160k_{data}.py" for data in ("cityscapes-128x128", "coco-128x128", "cityscapes-64x64")]
    found = model_table.networks([ROOT / "configs" / name for name in names])
    assert list(found) == ["bpr_hrnet-w18s_4xb8-160k_cityscapes-128x128", "bpr_hrnet-w18s_4xb8-160k_cityscapes-64x64"]
