"""Run every block of every page of the docs, in order, on small made-up data, and say what became of each.

    python -m tests.docs.run_pages                     # all pages
    python -m tests.docs.run_pages docs/training.md    # some

A block runs as it stands, but that a training stops after two iterations. What a page's first block wrote its second may read. Goes
into docs/results/pages.json, page by page. Exit code 1: a block failed.
"""

from __future__ import annotations

import datetime
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bpr.io.files import read_json, write_json
from tests.conftest import ROOT
from tests.docs.pages import PAGES, Block, blocks
from tests.docs.stage import set_up

RESULTS = ROOT / "docs" / "results" / "pages.json"
PATIENCE = 900
"""Seconds that a block may take."""

SHORT = "train_cfg.max_iters=2 train_dataloader.num_workers=0 train_dataloader.persistent_workers=False train_dataloader.batch_size=2"
TRAINING = re.compile(r"^(?:bpr train|python tools/train\.py) [^#\n]*", re.MULTILINE)
LAST = re.compile(r"/iter_\d+\.pth")

COMMON = """
import bpr, cv2, numpy as np
image = cv2.imread("photo.jpg")[..., ::-1].copy()
masks = cv2.imread("mask.png", cv2.IMREAD_GRAYSCALE)[None] > 0
pairs = [(image, masks), (image, masks)]
refiner = bpr.load("starter")
"""
BEFORE = {
    "neighbours.md": "from tests.docs.neighbour import names; globals().update(names({index}))",
    "README.md": "",
    "quickstart.md": "",
}
"""By page: what its Python blocks take for granted; all others have ``COMMON``."""
CONFIG = "from mmengine.config import Config; Config.fromfile('configs/block.py')"


@dataclass(frozen=True)
class Outcome:
    """What became of a block: ``ran``, ``failed`` with its last words, or ``not run`` with the reason."""

    block: Block
    kind: str
    seconds: float = 0.0
    said: str = ""


def run_page(page: Path) -> Iterator[Outcome]:
    if not blocks(page):
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        set_up(page, folder)
        environment = prepare_commands(folder)
        python = 0
        for block in blocks(page):
            yield Outcome(block, "not run", said=block.reason) if block.reason else run(block, folder, environment, python)
            python += block.language == "python"


def run(block: Block, folder: Path, environment: dict[str, str], index: int) -> Outcome:
    """Run one block, the ``index``-th of Python on its page."""
    start = time.perf_counter()
    shell = ["bash", "-euo", "pipefail", "-c", at_toy_size(block.text)]
    program = python_program(block, folder, index) if block.language == "python" else shell
    try:
        done = subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE)
        kind, said = ("ran", "") if done.returncode == 0 else ("failed", (done.stdout + done.stderr)[-2000:])
    except subprocess.TimeoutExpired:
        kind, said = "failed", f"not done after {PATIENCE} s"
    return Outcome(block, kind, time.perf_counter() - start, said)


def python_program(block: Block, folder: Path, index: int) -> list[str]:
    """A config is read as one; any other block follows what its page takes for granted."""
    if block.text.startswith("_base_"):
        (folder / "configs" / "block.py").write_text(block.text)
        return [sys.executable, "-c", CONFIG]
    before = BEFORE.get(block.page.name, COMMON).format(index=index)
    (folder / "block.py").write_text(f"{before}\n{block.text}")
    return [sys.executable, str(folder / "block.py")]


def at_toy_size(text: str) -> str:
    """The commands of a block; trainings stop after two iterations.

    >>> at_toy_size("bpr export CONFIG.py work_dirs/x/iter_3000.pth --out own.onnx")
    'bpr export CONFIG.py work_dirs/x/iter_2.pth --out own.onnx'
    """
    text = TRAINING.sub(lambda line: f"{line[0].rstrip()} {'' if '--cfg-options' in line[0] else '--cfg-options '}{SHORT} ", text)
    return LAST.sub("/iter_2.pth", text)


def prepare_commands(folder: Path) -> dict[str, str]:
    """An environment in which ``bpr`` and ``python`` are those of this checkout."""
    commands = folder / ".commands"
    commands.mkdir()
    for name, arguments in (("python", ""), ("bpr", "-c 'from bpr.cli.main import entry; entry()' ")):
        (commands / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n')
        (commands / name).chmod(0o755)
    return {**os.environ, "PATH": f"{commands}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


def note(page: Path, outcomes: Sequence[Outcome]) -> None:
    """Put into the report what became of a page: how many blocks ran and in how long, and why the others did not."""
    report: dict[str, Any] = read_json(RESULTS, "a report of this script") if RESULTS.is_file() else {"pages": {}}
    kinds = [outcome.kind for outcome in outcomes]
    report["pages"][page.relative_to(ROOT).as_posix()] = {
        "date": datetime.date.today().isoformat(),
        "ran": kinds.count("ran"),
        "failed": kinds.count("failed"),
        "seconds": round(sum(outcome.seconds for outcome in outcomes), 1),
        "not_run": [outcome.said for outcome in outcomes if outcome.kind == "not run"],
    }
    write_json(RESULTS, report, indent=1)


def main() -> int:
    failed = 0
    for page in [Path(name).resolve() for name in sys.argv[1:]] or PAGES:
        outcomes = []
        for outcome in run_page(page):
            outcomes.append(outcome)
            said = f": {outcome.said}" if outcome.said else ""
            print(f"{outcome.block.name:34} {outcome.block.language:7} {outcome.seconds:7.1f} s  {outcome.kind}{said}", flush=True)
        if outcomes:
            note(page, outcomes)
        failed += sum(outcome.kind == "failed" for outcome in outcomes)
    print(f"{failed} blocks failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
