"""Many processes, one training: what a launcher must say, and how processes without a GPU find each other.

With GPUs MMEngine joins the processes itself; its launchers insist on a GPU each.
"""

from __future__ import annotations

import os

import torch
from mmengine.config import Config

from bpr.errors import BPRError

TORCH_NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
NAMES = {
    "pytorch": TORCH_NAMES,
    "slurm": ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
    "mpi": ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
}
"""Where each launcher writes the number of a process, how many there are, and its number on its machine."""
STARTERS = {"pytorch": "torchrun", "slurm": "srun", "mpi": "mpirun"}


def join_processes(cfg: Config, launcher: str) -> None:
    """Make this process one of those that ``launcher`` started; without a GPU they talk through gloo.

    Raises:
        BPRError: the launcher did not start this process, or nobody says where the first one is.
    """
    missing = [name for name in NAMES[launcher] if name not in os.environ]
    if missing:
        raise BPRError(f"--launcher {launcher}: expected {', '.join(missing)} in the environment; start with {STARTERS[launcher]}")
    cfg.launcher = launcher
    if not torch.cuda.is_available():
        _join_by_gloo(launcher)
        cfg.sync_bn = None  # torch synchronises BatchNorm on GPUs only: every process keeps statistics of its own
        cfg.model_wrapper_cfg = {"type": "MMDistributedDataParallel", "device_ids": None, "broadcast_buffers": False}


def _join_by_gloo(launcher: str) -> None:
    if "MASTER_ADDR" not in os.environ:
        remedy = "export MASTER_ADDR=$(scontrol show hostnames $SLURM_JOB_NODELIST | head -n 1)" if launcher == "slurm" else "export it"
        raise BPRError(f"--launcher {launcher}: expected MASTER_ADDR, the host of the first process, in the environment; {remedy}")
    os.environ.update({ours: os.environ[theirs] for ours, theirs in zip(TORCH_NAMES, NAMES[launcher], strict=True)})
    os.environ.setdefault("MASTER_PORT", "29500")
    torch.distributed.init_process_group("gloo")


def leave_processes() -> None:
    """End what :func:`join_processes` began, all at once: who ends while another still talks to it aborts."""
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
