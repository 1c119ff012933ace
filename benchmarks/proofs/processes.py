"""Start ``bpr refine`` as one process or as several ranks of one machine, to be killed or timed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measuring import ROOT

MODEL = ("--model", "starter-fast", "--backend", "onnxruntime", "--workers", "1")
"""A model that starts fast, on the reference backend."""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def refine_command(data: Path, out: Path, *options: str) -> list[str]:
    """The command line of a run over a set of benchmarks/painted_set.py, without the interpreter."""
    files = [str(data / "coarse.segm.json"), "--img-dir", str(data / "images"), "--ann", str(data / "instances.json")]
    return [str(ROOT / "tools" / "refine.py"), *files, "--out", str(out), *MODEL, *options]


def start(words: Sequence[str], ranks: int = 1) -> list[subprocess.Popen[str]]:
    """One process per rank, each with one thread; a single rank starts without a launcher."""
    environments = [ENVIRONMENT]
    if ranks > 1:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        sizes = {"WORLD_SIZE": str(ranks), "LOCAL_WORLD_SIZE": str(ranks)}
        shared = {**sizes, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        own = [{"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(ranks)]
        environments = [{**ENVIRONMENT, **shared, **one} for one in own]
        words = [*words, "--launcher", "pytorch"]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    return [subprocess.Popen([sys.executable, *words], env=environment, **pipes) for environment in environments]


def wait(processes: Sequence[subprocess.Popen[str]]) -> None:
    """Wait for all processes.

    Raises:
        RuntimeError: one has failed.
    """
    for process in processes:
        errors = process.communicate()[1]
        if process.returncode:
            raise RuntimeError(f"expected bpr refine to succeed, got {process.returncode}: {errors[-1000:]}")
