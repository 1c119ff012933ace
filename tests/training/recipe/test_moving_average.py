"""The averaged weights, which are exported, are those of the end of a training, however short it was."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.model import ExponentialMovingAverage

from bpr.cli.main import main
from bpr.geometry.options import from_config
from bpr.refinement.refiner import Refiner
from bpr.training.network.segmentor import build_segmentor
from bpr.training.recipe.held_out import HeldOut
from bpr.training.recipe.moving_average import WarmedUpAverage
from bpr.training.torch_predictor import SegmentorPredictor
from tests.conftest import SmallSet
from tests.training.toy_runs import TOY_MODEL, leaf


class Weights(torch.nn.Module):
    """As many weights as a training has steps: at step t, weight t is 1, and so the average holds the shares."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(steps, dtype=torch.float64))
        self.register_buffer("counter", torch.tensor(0))

    def at(self, step: int) -> Weights:
        with torch.no_grad():
            self.weight.zero_()
            self.weight[step] = 1
        return self


def shares(updates: int, momentum: float = 0.002, interval: int = 1) -> np.ndarray:
    """(updates * interval + 1,) the share of the weights of every step in the average."""
    network = Weights(updates * interval + 1)
    average = WarmedUpAverage(network, momentum, interval=interval, update_buffers=True)
    for step in range(len(network.weight)):
        average.update_parameters(network.at(step))
    return average.module.weight.numpy()


@pytest.mark.parametrize("updates", [50, 240, 1000])
def test_the_average_is_that_of_the_last_part_of_a_training(updates: int) -> None:
    found = shares(updates)
    expected = [math.comb(step + 8, 8) / math.comb(updates + 9, 9) for step in range(updates + 1)]
    assert found == pytest.approx(expected)
    assert found.sum() == pytest.approx(1)
    assert found[: updates // 2].sum() < 0.005, "MMEngine's average would keep 90, 62 and 14 % of the first weights"
    ages = updates - np.arange(updates + 1)
    assert (found * ages).sum() == pytest.approx(updates / 10)


def test_a_long_training_has_the_momentum_of_the_config() -> None:
    found = shares(200, momentum=0.2)
    assert found[150:200] / found[151:] == pytest.approx([0.8] * 49 + [0.8])
    assert found[-1] == pytest.approx(0.2)


def test_updates_count_and_not_the_iterations_between_them() -> None:
    assert shares(50, interval=4)[::4] == pytest.approx(shares(50))


def test_checkpoints_of_both_averages_have_the_same_names() -> None:
    network = Weights(3)
    old, new = ExponentialMovingAverage(network, update_buffers=True), WarmedUpAverage(network, update_buffers=True)
    for step in range(3):
        old.update_parameters(network.at(step))
    new.load_state_dict(old.state_dict(), strict=True)
    assert new.steps == 3
    assert new.module.weight.tolist() == old.module.weight.tolist()
    old.load_state_dict(new.state_dict(), strict=True)


BASES = (TOY_MODEL, "datasets/starter_images", "schedules/adamw_ema", "default_runtime")
LEAF = """
model = dict(data_preprocessor=dict(input_side=64, inputs={{{{_base_.refinement.patch.inputs}}}}))
source = dict(ann='{data.ann}', img_dir='{data.images}', results='{data.results}')
train_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False, dataset=dict(sources=[source]))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=50)
param_scheduler = [dict(type='ConstantLR', factor=1.0, by_epoch=False)]
"""


def test_the_weights_of_a_short_training_refine_no_worse_than_the_last_ones(tmp_path: Path) -> None:
    data = SmallSet(tmp_path / "set")
    config = leaf(tmp_path, BASES, LEAF.format(data=data))
    assert main(["train", config, "--work-dir", str(tmp_path / "work")]) == 0
    checkpoint = torch.load(tmp_path / "work" / "iter_50.pth", weights_only=True)
    last = {
        name.removeprefix("module."): value
        for name, value in checkpoint["ema_state_dict"].items()
        if name.startswith("module.")
    }
    held_out = HeldOut(str(data.ann), str(data.images), str(data.results))
    cfg, model = build_segmentor(config)
    ious = []
    for state in (checkpoint["state_dict"], last):
        model.load_state_dict(state)
        refiner = Refiner(SegmentorPredictor(model.eval(), *from_config(cfg.refinement, "test")))
        ious.append(held_out.measure(refiner)["IoU/after"])
    assert ious[1] > 0.7, "the training has not begun to learn"
    assert ious[0] > ious[1] - 0.02
