"""Trainings of a few iterations on two small images, and how to compare them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import torch

from bpr.cli.main import main
from tests.conftest import ROOT, SmallSet

TOY = str(ROOT / "tests" / "training" / "toy_config.py")
TOY_MODEL = str(ROOT / "tests" / "training" / "toy_model")
"""In place of ``models/NAME`` among the bases of a :func:`leaf`."""
PAPER = str(ROOT / "configs" / "bpr_hrnet-w18s_4xb8-160k_coco-128x128.py")


def leaf(folder: Path, bases: tuple[str, ...], text: str) -> str:
    """A config of the tests' own over files of ``configs/_base_``."""
    config = folder / "leaf.py"
    config.write_text(f"_base_ = {[str(ROOT / 'configs' / '_base_' / f'{name}.py') for name in bases]}\n{text}")
    return str(config)


def held_out(data: SmallSet) -> str:
    return f"val_cfg = dict(results={str(data.results)!r}, annotations={str(data.ann)!r}, images={str(data.images)!r})\n"


def extract(data: SmallSet, store: Path, config: str) -> None:
    files = [str(data.results), "--ann", str(data.ann), "--img-dir", str(data.images), "--out", str(store)]
    assert main(["extract-patches", *files, "--config", config]) == 0


def arguments(config: str, store: Path, work_dir: Path, iterations: int, *options: str) -> list[str]:
    """The command line of a toy training; later options win."""
    overrides = [
        f"train_dataloader.dataset.stores={store}",
        "model.pretrained=None",
        "train_dataloader.batch_size=4",
        "train_dataloader.num_workers=0",
        "train_dataloader.persistent_workers=False",
        f"train_cfg.max_iters={iterations}",
        "default_hooks.checkpoint.interval=2",
        "default_hooks.logger.interval=1",
        "log_processor.window_size=1",
        *options,
    ]
    return [config, "--work-dir", str(work_dir), "--cfg-options", *overrides]


def start(command: list[str], *python: str) -> subprocess.Popen[str]:
    """``tools/train.py`` in a process of its own, one thread each."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    line = [sys.executable, *python, str(ROOT / "tools" / "train.py"), *command]
    return subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def logged(work_dir: Path, name: str) -> list[dict[str, float]]:
    """The lines with ``name`` in the logs of all runs in a work dir, the oldest run first."""
    texts = [path.read_text() for path in sorted(work_dir.glob("*/vis_data/scalars.json"))]
    return [line for text in texts for line in map(json.loads, text.splitlines()) if name in line]


def losses(work_dir: Path) -> dict[int, float]:
    """The loss of every iteration; of one that was run twice, the later."""
    return {int(line["step"]): line["loss"] for line in logged(work_dir, "loss")}


def weights(checkpoint: Path) -> torch.Tensor:
    """All parameters and statistics in one vector."""
    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    return torch.cat([tensor.double().flatten() for tensor in state.values()])
