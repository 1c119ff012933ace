"""From a Cityscapes download and nothing else to a trained network, refined masks and the official AP."""

from __future__ import annotations

from pathlib import Path

import pytest

from bpr.cli.main import main
from bpr.training.data.image_dataset import load_instances
from bpr.training.recipe.held_out import HeldOut
from tests.conftest import ROOT
from tests.formats import layouts
from tests.scripts import run_tool

CONFIG = str(ROOT / "configs" / "bpr_mobilenet-v3s_4xb8-160k_cityscapes-128x128.py")


@pytest.fixture
def download(tmp_path: Path) -> Path:
    layouts.gtfine(tmp_path)
    layouts.photographs(tmp_path)
    return tmp_path


def test_training_and_validation_read_the_folders(download: Path) -> None:
    truth, images = str(download / "gtFine"), str(download / "leftImg8bit")
    results = str(layouts.mmdetection(download))
    instances = load_instances(truth, images, results)
    assert [len(instance.detections) for instance in instances] == [1, 1, 1, 1]
    assert all(instance.path.is_file() for instance in instances)
    assert len(HeldOut(truth, images, results).before) == 4
    assert len(HeldOut(truth, images).before) == 2, "masks made of tiny objects are too bad to match"


def test_from_the_download_to_the_official_ap(download: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("cityscapesscripts")
    truth, images = str(download / "gtFine" / "val"), ["--img-dir", str(download / "leftImg8bit" / "val")]
    coarse, store, work = (str(download / name) for name in ("coarse.json", "store", "work"))
    assert run_tool("synthesize_masks", [truth, "--out", coarse]) == 0
    assert main(["extract-patches", coarse, "--ann", truth, *images, "--out", store, "--config", CONFIG]) == 0
    loader = {"num_workers": 0, "persistent_workers": False, "batch_size": 2, "dataset.stores": store}
    toy = ["train_cfg.max_iters=1", "model.pretrained=None", *(f"train_dataloader.{k}={v}" for k, v in loader.items())]
    assert main(["train", CONFIG, "--work-dir", work, "--cfg-options", *toy]) == 0
    detected, refined = str(layouts.mmdetection(download)), str(download / "refined")
    assert main(["refine", detected, *images, "--model", f"{work}/iter_1.pth", "--out", refined]) == 0
    capsys.readouterr()
    assert main(["eval", refined, "--before", detected, "--ann", truth, "--metrics", "cityscapes-ap"]) == 0
    assert "AP50/Cityscapes" in capsys.readouterr().out
