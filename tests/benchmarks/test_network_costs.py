"""The table of networks: one row each, counted and timed in both runtimes, which must agree."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.studies import network_costs
from bpr.io.files import read_json
from tests.conftest import ROOT

CONFIG = ROOT / "configs" / "bpr_mobilenet-v3s_4xb8-160k_cityscapes-128x128.py"


def test_a_network_is_counted_and_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "models.json"
    small = tmp_path / "small.py"
    small.write_text(f"_base_ = [{str(CONFIG)!r}]\nmodel = dict(data_preprocessor=dict(input_side=32))\n")
    monkeypatch.setattr(network_costs, "SECONDS", 1e-9)  # one batch will do
    network_costs.main([str(small), "--threads", "1", "--out", str(out)])
    row = read_json(out, "the table")["rows"]["small"]
    assert row["difference"] < 2e-3  # weights are stored in half precision
    assert row["torch"]["patches_per_second"] > 0
    assert row["onnx"]["repeats"] == 1
    assert "| small | 32 | rgb, mask | 1.01 M | 0.01 |" in out.with_suffix(".md").read_text()


def test_configs_that_differ_in_data_or_schedule_share_a_row() -> None:
    names = [
        f"bpr_hrnet-w18s_4xb8-160k_{data}.py" for data in ("cityscapes-128x128", "coco-128x128", "cityscapes-64x64")
    ]
    found = network_costs.networks([ROOT / "configs" / name for name in names])
    assert list(found) == ["bpr_hrnet-w18s_4xb8-160k_cityscapes-128x128", "bpr_hrnet-w18s_4xb8-160k_cityscapes-64x64"]
