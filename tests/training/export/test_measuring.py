"""Exporting tells what the file does to a few instances that its config names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from bpr.cli.main import main
from bpr.errors import BPRError
from bpr.geometry.options import PatchSpec, Placement, RefineOptions
from bpr.training.data.patch_store import PatchStoreWriter
from bpr.training.export.measuring import measure_export
from bpr.training.export.to_onnx import export_onnx
from bpr.training.network.preprocessor import PatchPreprocessor
from tests.conftest import SmallSet
from tests.training.toy_runs import TOY_MODEL, leaf

CUT = PatchSpec(side=16, padding=0), RefineOptions()


class BelievesTheMask(nn.Module):
    """Foreground where the mask channel is light (``sign`` 1), or where it is dark (-1)."""

    def __init__(self, sign: float) -> None:
        super().__init__()
        self.data_preprocessor = PatchPreprocessor(16)
        self.convolution = nn.Conv2d(4, 8, 1)
        with torch.no_grad():
            self.convolution.weight.zero_()
            self.convolution.bias.zero_()
            self.convolution.weight[:, 3] = 2.0 * sign

    def probabilities(self, patches: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.convolution(self.data_preprocessor.normalise(patches.permute(0, 3, 1, 2))).mean(1))


@pytest.fixture(scope="module", params=[1.0, -1.0], ids=["keeps", "inverts"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[float, Path]:
    path = tmp_path_factory.mktemp("measuring") / "model.onnx"
    export_onnx(BelievesTheMask(request.param), *CUT, path, {})
    return request.param, path


def test_training_and_held_out_instances_are_refined(model: tuple[float, Path], small_set: SmallSet) -> None:
    sign, path = model
    source = {"ann": str(small_set.ann), "img_dir": str(small_set.images), "results": [str(small_set.results)]}
    made = {"train_dataloader": {"dataset": {"sources": [{**source, "results": []}]}}}
    detected = {"train_dataloader": {"dataset": {"sources": [source]}}}
    files = {"annotations": str(small_set.ann), "images": str(small_set.images), "results": str(small_set.results)}
    for cfg in (made, detected, {"val_cfg": files}):
        measured = measure_export(path, cfg)
        assert measured is not None
        assert measured.on == "4 instances"
        before, after = measured.scores["IoU"]
        assert measured.harms == (sign < 0)
        assert (before == after) if sign > 0 else (after < before - 0.1)
    assert measured.scores.keys() == {"IoU", "F@2px"}
    assert f"4 instances that the config names, before and after refining: IoU {100 * before:.1f} -> " in str(measured)


def test_patches_of_a_store_are_measured(model: tuple[float, Path], tmp_path: Path) -> None:
    sign, path = model
    spec = CUT[0]
    patches, truths = np.zeros((3, 16, 16, 4), np.uint8), np.zeros((3, 16, 16), np.uint8)
    patches[:, :8, :, 3], truths[:, :4] = 255, 1  # every coarse mask is twice its truth
    with PatchStoreWriter(tmp_path / "store", spec, Placement(), {}) as store:
        store.append(patches, truths, np.zeros((3, 5), np.int32))
    measured = measure_export(path, {"train_dataloader": {"dataset": {"stores": [str(tmp_path / "store")]}}})
    assert measured is not None
    assert (measured.on, measured.scores) == ("3 patches", {"IoU": (0.5, 0.5 if sign > 0 else 0.0)})
    assert measured.harms == (sign < 0)


def test_without_data_there_is_nothing_to_measure(model: tuple[float, Path], tmp_path: Path) -> None:
    assert measure_export(model[1], {}) is None
    with pytest.raises(BPRError, match=r"none\.json"):
        measure_export(model[1], {"val_cfg": {"annotations": str(tmp_path / "none.json"), "images": str(tmp_path)}})


def test_export_warns_of_an_untrained_network(
    small_set: SmallSet, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """The masks of an untrained network are no masks; its file is written all the same, and is what was asked for."""
    from bpr.training.network.segmentor import build_segmentor

    source = {"ann": str(small_set.ann), "img_dir": str(small_set.images)}
    text = "model = dict(data_preprocessor=dict(input_side=64, inputs={{_base_.refinement.patch.inputs}}))\n"
    text += f"train_dataloader = dict(dataset=dict(sources=[{source}]))\n"
    config = leaf(tmp_path, (TOY_MODEL, "datasets/starter_images", "default_runtime"), text)
    torch.manual_seed(0)
    _, network = build_segmentor(config)
    with torch.no_grad():
        network.decode_head.conv_seg.bias.copy_(torch.tensor([-9.0, 9.0]))  # everything is foreground
    torch.save({"state_dict": network.state_dict()}, tmp_path / "untrained.pth")
    out = tmp_path / "model.onnx"
    assert main(["export", config, str(tmp_path / "untrained.pth"), "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert "4 instances that the config names, before and after refining: IoU " in printed.out
    assert f"warning: {out} makes masks worse: 4 instances" in printed.err
    (small_set.images / "000001.png").unlink()
    assert main(["export", config, str(tmp_path / "untrained.pth"), "--out", str(out)]) == 0
    assert "not measured, because the data of the config cannot be read: " in capsys.readouterr().out
