"""Many processes, one training: how those that a launcher started find each other without a GPU.

With GPUs MMEngine joins the processes itself; its launchers insist on a GPU each.
"""

from __future__ import annotations

import torch
from mmengine.config import Config

from bpr.refinement.sharing.launchers import launched_rank, set_torch_variables


def join_processes(cfg: Config, launcher: str) -> None:
    """Make this process one of those that ``launcher`` started; without a GPU they talk through gloo.

    Raises:
        BPRError: the launcher did not start this process, or nobody says where the first one is.
    """
    launched_rank(launcher)  # raises where the launcher did not start this process
    cfg.launcher = launcher
    if not torch.cuda.is_available():
        set_torch_variables(launcher)
        torch.distributed.init_process_group("gloo")
        cfg.sync_bn = None  # torch synchronises BatchNorm on GPUs only: every process keeps statistics of its own
        cfg.model_wrapper_cfg = {"type": "MMDistributedDataParallel", "device_ids": None, "broadcast_buffers": False}


def leave_processes() -> None:
    """End what :func:`join_processes` began, all at once: who ends while another still talks to it aborts."""
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
