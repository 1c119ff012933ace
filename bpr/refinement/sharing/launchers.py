"""The environment variables by which a launcher tells a process its rank. Reading them needs no torch."""

from __future__ import annotations

import os
from typing import NamedTuple

from bpr.errors import BPRError

TORCH_VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
VARIABLES = {
    "pytorch": TORCH_VARIABLES,
    "slurm": ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
    "mpi": ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
}
"""By launcher: the variables of a process's rank, the number of ranks, and the rank on its own machine."""
STARTERS = {"pytorch": "torchrun", "slurm": "srun", "mpi": "mpirun"}


class LaunchedRank(NamedTuple):
    """The rank of a process among ``world_size`` processes, and among those on its own machine; both count from 0."""

    rank: int
    world_size: int
    local_rank: int


def launched_rank(launcher: str) -> LaunchedRank:
    """The rank that ``launcher`` gave this process.

    Raises:
        BPRError: the launcher did not start this process.
    """
    missing = [name for name in VARIABLES[launcher] if name not in os.environ]
    if missing:
        expected = f"expected {', '.join(missing)} in the environment"
        raise BPRError(f"--launcher {launcher}: {expected}; start with {STARTERS[launcher]}")
    return LaunchedRank(*(int(os.environ[name]) for name in VARIABLES[launcher]))


def set_torch_variables(launcher: str) -> None:
    """Set the variables that torch.distributed reads from those of ``launcher``.

    Raises:
        BPRError: MASTER_ADDR, the host of the first process, is not set.
    """
    if "MASTER_ADDR" not in os.environ:
        slurm_remedy = "export MASTER_ADDR=$(scontrol show hostnames $SLURM_JOB_NODELIST | head -n 1)"
        remedy = slurm_remedy if launcher == "slurm" else "export it"
        expected = "expected MASTER_ADDR, the host of the first process, in the environment"
        raise BPRError(f"--launcher {launcher}: {expected}; {remedy}")
    values = [os.environ[name] for name in VARIABLES[launcher]]
    os.environ.update(zip(TORCH_VARIABLES, values, strict=True))
    os.environ.setdefault("MASTER_PORT", "29500")
