"""What a launcher tells the processes that it started: which of how many each is. No torch needed to read it."""

from __future__ import annotations

import os
from typing import NamedTuple

from bpr.errors import BPRError

TORCH_NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
NAMES = {
    "pytorch": TORCH_NAMES,
    "slurm": ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
    "mpi": ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
}
"""Where each launcher writes the number of a process, how many there are, and its number on its machine."""
STARTERS = {"pytorch": "torchrun", "slurm": "srun", "mpi": "mpirun"}


class Place(NamedTuple):
    """Of a process among those that were started together, from 0 on; ``local`` on its own machine."""

    rank: int
    count: int
    local: int


def place(launcher: str) -> Place:
    """Where ``launcher`` put this process.

    Raises:
        BPRError: the launcher did not start this process.
    """
    missing = [name for name in NAMES[launcher] if name not in os.environ]
    if missing:
        raise BPRError(f"--launcher {launcher}: expected {', '.join(missing)} in the environment; start with {STARTERS[launcher]}")
    return Place(*(int(os.environ[name]) for name in NAMES[launcher]))


def name_first_host(launcher: str) -> None:
    """Say to torch, in its own names, what the launcher said in others.

    Raises:
        BPRError: nobody says where the first process is.
    """
    if "MASTER_ADDR" not in os.environ:
        remedy = "export MASTER_ADDR=$(scontrol show hostnames $SLURM_JOB_NODELIST | head -n 1)" if launcher == "slurm" else "export it"
        raise BPRError(f"--launcher {launcher}: expected MASTER_ADDR, the host of the first process, in the environment; {remedy}")
    os.environ.update({ours: os.environ[theirs] for ours, theirs in zip(TORCH_NAMES, NAMES[launcher], strict=True)})
    os.environ.setdefault("MASTER_PORT", "29500")
