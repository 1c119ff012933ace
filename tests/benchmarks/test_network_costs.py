"""The table of networks: one row each, counted and timed in both runtimes, which must agree."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.studies import network_costs
from bpr.io.files import read_json
from tests.conftest import ROOT
from tests.training.toy_runs import TOY_MODEL, leaf


def test_a_network_is_counted_and_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "models.json"
    bases = TOY_MODEL, "datasets/starter_images", "default_runtime"
    toy = leaf(tmp_path, bases, "model = dict(data_preprocessor=dict(input_side=32, inputs={{_base_.refinement.patch.inputs}}))\n")
    monkeypatch.setattr(network_costs, "SECONDS", 1e-9)  # one batch will do
    network_costs.main([toy, "--threads", "1", "--out", str(out)])
    row = read_json(out, "the table")["rows"]["leaf"]
    assert row["difference"] < 2e-3  # weights are stored in half precision
    assert row["torch"]["patches_per_second"] > 0
    assert row["onnx"]["repeats"] == 1
    convolutions = 3 * 16 * 9 + 2 * 16 * 9 + 16 * 16 * 9 + 16 * 16 * 9 + 32 * 16 + 16 * 2
    assert row["parameters"] == convolutions + 4 * 2 * 16 + 2  # four norms, and a bias for each class
    assert "| leaf | 32 | rgb, mask, evidence | 0.01 M | 0.00 |" in out.with_suffix(".md").read_text()


def test_configs_that_differ_in_data_or_schedule_share_a_row() -> None:
    names = [
        f"bpr_hrnet-w18s_4xb8-160k_{data}.py" for data in ("cityscapes-128x128", "coco-128x128", "cityscapes-64x64")
    ]
    found = network_costs.networks([ROOT / "configs" / name for name in names])
    assert list(found) == ["bpr_hrnet-w18s_4xb8-160k_cityscapes-128x128", "bpr_hrnet-w18s_4xb8-160k_cityscapes-64x64"]
