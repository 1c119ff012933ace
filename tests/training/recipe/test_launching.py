"""Several processes, or several small batches, train what one process with the whole batch trains."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.model import convert_sync_batchnorm
from mmengine.registry import init_default_scope

from bpr.cli.main import main
from bpr.errors import BPRError
from bpr.training.recipe.runner import join_processes
from bpr.training.registry import MODELS
from tests.conftest import SmallSet
from tests.training.toy_runs import PAPER, TOY_MODEL, arguments, extract, held_out, leaf, logged, start, weights

BASES = (TOY_MODEL, "datasets/coco_patches", "schedules/sgd_160k", "validated_runtime")

# GroupNorm looks at one patch alone and nothing is drawn at random: the gradient of a batch is the mean of its parts'.
SUMMABLE = """
norm_cfg = dict(_delete_=True, type='GN', num_groups=2)
model = dict(data_preprocessor=dict(input_side=32), backbone=dict(norm_cfg=norm_cfg), decode_head=dict(norm_cfg=norm_cfg))
train_dataloader = dict(dataset=dict(pipeline=[dict(type='bpr.PackPatch')]))
train_cfg = dict(val_interval=3)
"""


@pytest.fixture(scope="module")
def whole_batch(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Path]:
    """Config, store and the work dir of one process with batches of four: a checkpoint after each of three iterations."""
    folder = tmp_path_factory.mktemp("launching")
    data = SmallSet(folder / "set")
    config = leaf(folder, BASES, SUMMABLE + held_out(data))
    extract(data, folder / "store", config)
    assert main(["train", *arguments(config, folder / "store", folder / "work", 3, "default_hooks.checkpoint.interval=1")]) == 0
    return config, folder / "store", folder / "work"


def distance(checkpoint: Path, reference: Path) -> float:
    """How far a training ended from the reference's end, relative to the way the reference went in two iterations."""
    first, last = weights(reference / "iter_1.pth"), weights(reference / "iter_3.pth")
    return float((weights(checkpoint) - last).norm() / (last - first).norm())


def test_two_processes_equal_one_with_the_whole_batch(whole_batch: tuple[str, Path, Path], tmp_path: Path) -> None:
    """torchrun and gloo; iteration i of both processes together reads what iteration i of the single one reads."""
    config, store, reference = whole_batch
    command = arguments(config, store, tmp_path, 3, "train_dataloader.batch_size=2", "default_hooks.checkpoint.interval=3")
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    process = start([*command, "--launcher", "pytorch"], *torchrun)
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 0, output[-3000:]
    assert distance(tmp_path / "iter_3.pth", reference) < 1e-3
    assert distance(reference / "iter_2.pth", reference) > 0.1, "the measure sees one iteration more or less"
    ours, theirs = logged(tmp_path, "IoU/after"), logged(reference, "IoU/after")
    assert len(ours) == len(theirs) == 1
    assert ours[0] == pytest.approx(theirs[0], abs=0.01), "each process refines one of the two images, both know the scores"


def test_accumulated_gradients_equal_the_whole_batch(whole_batch: tuple[str, Path, Path], tmp_path: Path) -> None:
    config, store, reference = whole_batch
    halves = ["train_dataloader.batch_size=2", "optim_wrapper.accumulative_counts=2", "default_hooks.checkpoint.interval=6"]
    assert main(["train", *arguments(config, store, tmp_path, 6, *halves)]) == 0
    assert distance(tmp_path / "iter_6.pth", reference) < 1e-3


def test_gpus_synchronise_batchnorm_and_the_names_of_the_weights_stay() -> None:
    cfg = Config.fromfile(PAPER)
    cfg.model.pretrained = None
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model)
    names = list(model.state_dict())
    model = convert_sync_batchnorm(model, cfg.sync_bn)
    assert list(model.state_dict()) == names
    norms = [module for module in model.modules() if isinstance(module, torch.nn.modules.batchnorm._NormBase)]
    assert norms
    assert all(isinstance(norm, torch.nn.SyncBatchNorm) for norm in norms)


def test_slurm_says_who_is_who(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    said = {"SLURM_PROCID": "0", "SLURM_NTASKS": "1", "SLURM_LOCALID": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.setenv(name, "9")
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    cfg = Config({"sync_bn": "torch"})
    join_processes(cfg, "slurm")
    try:
        assert (torch.distributed.get_rank(), torch.distributed.get_world_size()) == (0, 1)
        assert torch.distributed.get_backend() == "gloo"
    finally:
        torch.distributed.destroy_process_group()
    assert cfg.launcher == "slurm"
    assert cfg.sync_bn is None


@pytest.mark.parametrize(("launcher", "starter"), [("pytorch", "torchrun"), ("slurm", "srun"), ("mpi", "mpirun")])
def test_a_launcher_that_did_not_start_us_is_named(monkeypatch: pytest.MonkeyPatch, launcher: str, starter: str) -> None:
    for name in ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(BPRError, match=f"in the environment; start with {starter}"):
        join_processes(Config(), launcher)


def test_slurm_without_the_first_host_says_how_to_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"):
        monkeypatch.setenv(name, "0")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BPRError, match="export MASTER_ADDR="):
        join_processes(Config(), "slurm")
