"""Averaged trainings: the mean of their weights, and norms that know what the averaged network sees."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bpr.errors import BPRError
from bpr.training.checkpoints import read_state_dict, write_state_dict
from bpr.training.network.segmentor import build_segmentor
from bpr.training.recipe.averaging import averaged
from tests.conftest import ROOT, SmallSet
from tests.scripts import run_tool

NORM = "backbone.bn1.running_mean"
LEAF = """
_base_ = ['{configs}/bpr_hrnet-w18s_1xb32-3000_own-64x64.py']
model = dict(pretrained=None, data_preprocessor=dict(input_side=32))
source = dict(ann='{data.ann}', img_dir='{data.images}')
train_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False, dataset=dict(sources=[source]))
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("averaging")
    leaf = folder / "leaf.py"
    leaf.write_text(LEAF.format(configs=ROOT / "configs", data=SmallSet(folder / "set")))
    return str(leaf)


@pytest.fixture(scope="module")
def trainings(config: str) -> list[str]:
    """Two checkpoints whose tensors differ by 0.02, counters aside."""
    torch.manual_seed(0)
    state = build_segmentor(config)[1].state_dict()
    paths = [str(Path(config).with_name(f"{number}.pth")) for number in (1, 2)]
    for path, shift in zip(paths, (0.0, 0.02), strict=True):
        write_state_dict(path, {k: v + shift if v.is_floating_point() else v for k, v in state.items()}, {})
    return paths


def test_weights_are_the_mean_and_norms_are_measured(config: str, trainings: list[str], tmp_path: Path) -> None:
    out = tmp_path / "averaged.pth"
    assert run_tool("average_checkpoints", [config, *trainings, "--batches", "3", "--out", str(out)]) == 0
    found, first = read_state_dict(out), read_state_dict(trainings[0])
    assert torch.allclose(found["decode_head.conv_seg.weight"], first["decode_head.conv_seg.weight"] + 0.01, atol=1e-6)
    assert torch.allclose(found["backbone.bn1.weight"], first["backbone.bn1.weight"] + 0.01)
    assert found["backbone.bn1.num_batches_tracked"] == 3
    assert (found[NORM] - first[NORM]).abs().max() > 0.05, "the untrained network's zeros are not what it sees"
    assert not torch.allclose(found[NORM], first[NORM] + 0.01, atol=1e-3)


def test_another_network_is_refused_and_nothing_is_written(
    config: str, trainings: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_state_dict(tmp_path / "other.pth", {"weight": torch.zeros(3)}, {})
    out = tmp_path / "averaged.pth"
    assert run_tool("average_checkpoints", [config, trainings[0], str(tmp_path / "other.pth"), "--out", str(out)]) == 1
    assert "checkpoint 2: expected the tensors of the first one, got another" in capsys.readouterr().err
    assert run_tool("average_checkpoints", [config, *[str(tmp_path / "other.pth")] * 2, "--out", str(out)]) == 1
    assert "other.pth: does not fit" in capsys.readouterr().err
    assert run_tool("average_checkpoints", [config, trainings[0], "--out", str(out)]) == 1
    assert "expected two checkpoints" in capsys.readouterr().err
    assert not out.exists()


def test_a_shape_that_differs_is_named() -> None:
    with pytest.raises(BPRError, match="another bias"):
        averaged([{"bias": torch.zeros(2)}, {"bias": torch.zeros(3)}])
