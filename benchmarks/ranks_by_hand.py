"""Start `bpr refine` as one process or as several ranks of one machine, to be killed or timed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODEL = ("--model", "starter-fast", "--backend", "onnxruntime", "--workers", "1")
"""Starts fast, and is what other backends are compared with."""


def refine_words(data: Path, out: Path, *options: str) -> list[str]:
    """The command line of a run over a set of benchmarks/demo_set.py."""
    files = [str(data / "coarse.segm.json"), "--img-dir", str(data / "images"), "--ann", str(data / "instances.json")]
    return [str(ROOT / "tools" / "refine.py"), *files, "--out", str(out), *MODEL, *options]


def start(words: Sequence[str], ranks: int = 1) -> list[subprocess.Popen[str]]:
    """As many processes as ranks, each with one thread; with one rank no launcher is told of."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    alone = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    if ranks == 1:
        return [_process(words, alone)]
    together = {**alone, "WORLD_SIZE": str(ranks), "LOCAL_WORLD_SIZE": str(ranks), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    launched = [*words, "--launcher", "pytorch"]
    return [_process(launched, {**together, "RANK": str(rank), "LOCAL_RANK": str(rank)}) for rank in range(ranks)]


def _process(words: Sequence[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, *words], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def wait(processes: Sequence[subprocess.Popen[str]]) -> None:
    """Until all have ended well.

    Raises:
        RuntimeError: one has not.
    """
    for process in processes:
        errors = process.communicate()[1]
        if process.returncode:
            raise RuntimeError(f"expected bpr refine to end well, got {process.returncode}: {errors[-1000:]}")
