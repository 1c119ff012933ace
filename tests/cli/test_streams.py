"""A command finishes its work although the reader of its output exits, or the disk of its log is full."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from bpr.io.files import read_json
from tests.conftest import ROOT, SmallSet


def run(data: SmallSet, out: Path, **streams: int | IO[bytes]) -> subprocess.CompletedProcess[bytes]:
    command = [
        "refine",
        str(data.results),
        "--img-dir",
        str(data.images),
        "--ann",
        str(data.ann),
        "--model",
        "identity",
        "--out",
        str(out),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-m", "bpr", *command], env=environment, timeout=120, **streams)


def closed_pipe() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_the_work_is_done_although_the_reader_exits(
    small_set: SmallSet, monkeypatch: pytest.MonkeyPatch, unbuffered: str
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    out, pipe = small_set.folder / "out.json", closed_pipe()
    ran = run(small_set, out, stdout=pipe, stderr=subprocess.PIPE)
    assert (ran.returncode, b"Broken pipe" in ran.stderr, b"BrokenPipe" in ran.stderr) == (0, False, False)
    assert run(small_set, out, stdout=pipe, stderr=pipe).returncode == 0
    os.close(pipe)
    assert len(read_json(out, "results")) == len(small_set.records)


def test_a_full_disk_for_the_log_is_reported_and_the_output_is_written(small_set: SmallSet) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs a device that is always full")
    out = small_set.folder / "out.json"
    with open("/dev/full", "wb") as full:
        ran = run(small_set, out, stdout=full, stderr=subprocess.PIPE)
    assert ran.returncode == 1
    line = b"bpr refine: standard output: cannot write (No space left on device); free some space, or redirect it"
    assert ran.stderr.splitlines()[-1] == line
    assert len(read_json(out, "results")) == len(small_set.records)
