"""Run every block of every page, in order, on small made-up data.

    python -m tests.docs.run_pages                     # all pages
    python -m tests.docs.run_pages docs/training.md    # some

A block runs as it is written, except that a training stops after two iterations. A block may read what earlier blocks
of its page wrote. tests/refinement/test_neighbours_page.py runs the blocks of docs/neighbours.md. Exit code 1: a block
failed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT
from tests.docs.pages import PAGES, Block, blocks
from tests.docs.stage import set_up

TIMEOUT = 900
"""Seconds for one block."""
RUN_ELSEWHERE = ("neighbours.md",)

SHORT = " ".join(
    [
        "train_cfg.max_iters=2",
        "train_dataloader.num_workers=0",
        "train_dataloader.persistent_workers=False",
        "train_dataloader.batch_size=2",
    ]
)
TRAINING = re.compile(r"^(?:bpr train|python tools/train\.py) [^#\n]*", re.MULTILINE)
LAST = re.compile(r"/iter_\d+\.pth")

COMMON = """
import bpr, cv2, numpy as np
image = cv2.imread("photo.jpg")[..., ::-1].copy()
masks = cv2.imread("mask.png", cv2.IMREAD_GRAYSCALE)[None] > 0
pairs = [(image, masks), (image, masks)]
refiner = bpr.load("starter")
"""
COMPLETE = ("README.md", "quickstart.md")
"""Pages whose Python blocks run alone. On all other pages ``COMMON`` comes before each block."""
CONFIG = "from mmengine.config import Config; Config.fromfile('configs/block.py')"


def run_page(page: Path) -> Iterator[tuple[Block, str]]:
    """Every block of a page, with what became of it: ``ran``, ``not run: REASON`` or ``failed: OUTPUT``."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        set_up(page, folder)
        environment = prepare_commands(folder)
        for block in blocks(page):
            yield block, f"not run: {block.reason}" if block.reason else run(block, folder, environment)


def run(block: Block, folder: Path, environment: dict[str, str]) -> str:
    shell = ["bash", "-euo", "pipefail", "-c", at_toy_size(block.text)]
    program = python_program(block, folder) if block.language == "python" else shell
    try:
        done = subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return f"failed: not done after {TIMEOUT} s"
    return "ran" if done.returncode == 0 else f"failed: {(done.stdout + done.stderr)[-2000:]}"


def python_program(block: Block, folder: Path) -> list[str]:
    """The command that runs a Python block. A block that is an MMEngine config is only read."""
    if block.text.startswith("_base_"):
        (folder / "configs" / "block.py").write_text(block.text)
        return [sys.executable, "-c", CONFIG]
    before = "" if block.page.name in COMPLETE else COMMON
    (folder / "block.py").write_text(f"{before}\n{block.text}")
    return [sys.executable, str(folder / "block.py")]


def at_toy_size(text: str) -> str:
    """The commands of a block, with trainings of two iterations.

    >>> at_toy_size("bpr export CONFIG.py work_dirs/x/iter_3000.pth --out own.onnx")
    'bpr export CONFIG.py work_dirs/x/iter_2.pth --out own.onnx'
    """
    text = TRAINING.sub(
        lambda line: f"{line[0].rstrip()} {'' if '--cfg-options' in line[0] else '--cfg-options '}{SHORT} ", text
    )
    return LAST.sub("/iter_2.pth", text)


def prepare_commands(folder: Path) -> dict[str, str]:
    """An environment in which ``bpr`` and ``python`` are those of this checkout."""
    commands = folder / ".commands"
    commands.mkdir()
    for name, arguments in (("python", ""), ("bpr", "-c 'from bpr.cli.main import entry; entry()' ")):
        (commands / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n')
        (commands / name).chmod(0o755)
    return {**os.environ, "PATH": f"{commands}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


def main() -> int:
    failed = 0
    for page in [Path(name).resolve() for name in sys.argv[1:]] or PAGES:
        if page.name in RUN_ELSEWHERE or not blocks(page):
            continue
        start = time.perf_counter()
        for block, outcome in run_page(page):
            print(f"{block.name:34} {block.language:7} {outcome}", flush=True)
            failed += outcome.startswith("failed")
        print(f"{page.name}: {time.perf_counter() - start:.0f} s", flush=True)
    print(f"{failed} blocks failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
