"""A new channel is one row: it is cut, trained, exported and refined with, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bpr.backends.onnx_runtime import OnnxPredictor
from bpr.cli.main import main
from bpr.compiled import uncompiled
from bpr.geometry.channels import CHANNELS, Channel
from bpr.training.data.patch_store import PatchStore
from tests.conftest import SmallSet
from tests.training.toy_runs import TOY, arguments, extract


def test_a_new_channel_from_extraction_to_refined_masks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(CHANNELS, "darkness", Channel(lambda part: 255 - part.colours.max(axis=2), (100,), (50,)))
    data, store, config = SmallSet(tmp_path / "set"), tmp_path / "store", tmp_path / "leaf.py"
    inputs = ["rgb", "mask", "darkness"]
    preprocessor = f"model = dict(data_preprocessor=dict(inputs={inputs!r}))\n"
    dataset = f"train_dataloader = dict(dataset=dict(patch=dict(inputs={inputs!r})))\n"
    refinement = f"refinement = dict(patch=dict(inputs={inputs!r}))\n"
    config.write_text(f"_base_ = {TOY!r}\n{refinement}{preprocessor}{dataset}")

    with uncompiled():
        extract(data, tmp_path / "by_numpy", str(config))
    extract(data, store, str(config))
    patches = np.array(PatchStore(store).patches)
    assert np.array_equal(patches[..., 4], 255 - patches[..., :3].max(axis=3))
    assert np.array_equal(patches, PatchStore(tmp_path / "by_numpy").patches)

    assert main(["train", *arguments(str(config), store, tmp_path / "work", 1, "default_hooks.checkpoint.interval=1")]) == 0
    model, out = tmp_path / "model.onnx", tmp_path / "out.json"
    assert main(["export", str(config), str(tmp_path / "work" / "iter_1.pth"), "--out", str(model)]) == 0
    assert OnnxPredictor(model).spec.inputs == tuple(inputs)
    assert OnnxPredictor(model).metadata["preprocessing"]["mean"][-1] == 100
    refine = ["refine", str(data.results), "--img-dir", str(data.images), "--out", str(out), "--model", str(model)]
    assert main(refine) == 0
    refined = out.read_bytes()
    with uncompiled():
        assert main(refine) == 0
    assert out.read_bytes() == refined
