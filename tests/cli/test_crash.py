"""Runs that are killed, stopped, starved of disk or shared: what comes out in the end is what an undisturbed run writes."""

from __future__ import annotations

import json
import os
import resource
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from bpr.cli.main import main
from tests.conftest import ROOT, SmallSet

IMAGES = 24


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> SmallSet:
    """Many images of a few records each, of different sizes; records of an image do not lie together."""
    data = SmallSet(tmp_path_factory.mktemp("crash") / "set")
    rng, pixels = np.random.default_rng(0), cv2.imread(str(data.images / "000001.png"))
    records = [{**data.records[index % 4], "image_id": f"{index % IMAGES:02d}", "note": index} for index in range(4 * IMAGES)]
    for number in range(IMAGES):
        cv2.imwrite(str(data.images / f"{number:02d}.png"), rng.permutation(pixels))
    data.results = data.write("many.json", records)
    return data


def words(data: SmallSet, out: Path, *options: str, model: str = "identity") -> list[str]:
    """A command that refines the scenes; identity, so that a run takes what a kill is about: reading and writing."""
    files = [str(data.results), "--img-dir", str(data.images), "--out", str(out)]
    return ["refine", *files, "--model", model, "--workers", "1", *options]


@pytest.fixture(scope="module")
def expected(scenes: SmallSet) -> bytes:
    """What an undisturbed run writes."""
    assert main(words(scenes, scenes.folder / "undisturbed.json")) == 0
    return (scenes.folder / "undisturbed.json").read_bytes()


# Slows the run down, so that there is time to kill it, and says when it begins.
SLOW = """
import sys, time
from bpr.cli.main import main
from bpr.refinement.sharing.journal import Journal

add = Journal.add

def slow(journal, done):
    add(journal, done)
    print("an image", flush=True)
    time.sleep(0.05)

Journal.add = slow
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def slow(scenes: SmallSet) -> str:
    """A script that refines slowly."""
    script = scenes.folder / "slow.py"
    script.write_text(SLOW)
    return str(script)


def heed_interrupts() -> None:
    """A shell tells what it starts in the background to ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(*command: str, before: Callable[[], None] = heed_interrupts) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    line, pipe = [sys.executable, *command], subprocess.PIPE
    return subprocess.Popen(line, env=environment, stdout=pipe, stderr=pipe, text=True, preexec_fn=before, cwd=ROOT)


def interrupt(process: subprocess.Popen[str], number: int, images: int) -> str:
    """Send a signal once so many images are in the journal; returns what came on stderr."""
    assert process.stdout
    for _ in range(images):
        process.stdout.readline()
    process.send_signal(number)
    return process.communicate(timeout=60)[1]


def test_killed_at_random_moments_every_record_is_there_once(slow: str, scenes: SmallSet, expected: bytes, tmp_path: Path) -> None:
    rng, out = np.random.default_rng(0), tmp_path / "out.json"
    for attempt in range(5):
        process = start(slow, *words(scenes, out, *["--resume"] * bool(attempt)))
        assert process.stdout
        process.stdout.readline()
        time.sleep(float(rng.uniform(0, 0.15)))
        process.kill()
        process.communicate()
        assert not out.exists(), "nothing is written before all is finished"
    assert main(words(scenes, out, "--resume")) == 0
    assert out.read_bytes() == expected
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_with_the_command_that_goes_on(
    slow: str, scenes: SmallSet, expected: bytes, tmp_path: Path, number: int
) -> None:
    out = tmp_path / "out put.json"
    process = start(slow, *words(scenes, out))
    *lines, last = interrupt(process, number, images=3).strip().splitlines()
    assert process.returncode == 1
    assert "finishing this image; again to stop at once" in lines
    assert f"{out}: interrupted; " in last
    assert f" of {IMAGES} images are done; finished images are kept; continue with: " in last
    command = shlex.split(last.split("continue with: ")[1])
    assert command[-1] == "--resume"
    line = command[command.index("refine") :]
    assert main(line) == 0
    assert out.read_bytes() == expected


def small_files() -> None:
    """A disk that is full after 8 kB, for this process."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))


def test_a_full_disk_is_one_line_and_costs_nothing(scenes: SmallSet, expected: bytes, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    process = start(str(ROOT / "tools" / "refine.py"), *words(scenes, out)[1:], before=small_files)
    errors = process.communicate(timeout=60)[1].strip().splitlines()
    assert process.returncode == 1
    assert f"{out}: cannot write: File too large; finished images are kept; continue with: " in errors[-1]
    kept = (tmp_path / ".out.json.run/shard-1-of-1.journal").stat().st_size
    assert kept > 1000
    assert main(words(scenes, out, "--resume")) == 0
    assert out.read_bytes() == expected


def test_a_disk_that_is_full_when_the_result_is_written(
    scenes: SmallSet, expected: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.json"

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("bpr.formats.coco.ResultsFile.write", full)
        assert main(words(scenes, out)) == 1
    assert "cannot write: No space left on device; finished images are kept; continue with: " in capsys.readouterr().err
    assert main(words(scenes, out, "--resume")) == 0
    assert out.read_bytes() == expected


def test_shards_make_what_one_run_makes(scenes: SmallSet, expected: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.json"
    for shard in ("3/3", "1/3"):
        assert main(words(scenes, out, "--shard", shard)) == 0
        assert f"shard {shard} is finished; once all are: bpr merge {out}" in capsys.readouterr().out
    assert main(["merge", str(out)]) == 1
    missing = capsys.readouterr().err
    assert "of 96 records are not finished; run the shards 2/3 with --resume, then merge again" in missing
    assert not out.exists()
    assert main(words(scenes, out, "--shard", "2/3", "--min-score", "0.1")) == 1
    assert "began with other min_score" in capsys.readouterr().err
    assert main(words(scenes, out, "--shard", "2/3")) == 0
    assert main(["merge", str(out)]) == 0
    assert out.read_bytes() == expected
    assert main(["merge", str(out)]) == 1
    assert "expected an unfinished run in " in capsys.readouterr().err


ONE, BOTH = ["000001.png"], ["000001.png", "000002.png"]


@pytest.mark.parametrize(("lost", "strict", "code"), [(ONE, [], 0), (ONE, ["--strict"], 1), (BOTH, [], 1)])
def test_what_became_of_the_records_is_for_the_merge_to_judge(
    small_set: SmallSet, tmp_path: Path, lost: list[str], strict: list[str], code: int
) -> None:
    for name in lost:
        (small_set.images / name).unlink()
    out = tmp_path / "out.json"
    for shard in ("1/2", "2/2"):
        assert main(words(small_set, out, "--shard", shard, *strict)) == 0
    assert main(["merge", str(out)]) == code
    assert out.exists()


@pytest.mark.parametrize("shard", ["0/3", "4/3", "3", "a/b"])
def test_no_shard(scenes: SmallSet, tmp_path: Path, shard: str) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words(scenes, tmp_path / "out.json", "--shard", shard))
    assert stop.value.code == 2


def test_two_ranks_make_what_one_process_makes(small_set: SmallSet, tmp_path: Path) -> None:
    """By a network, whose batches are others in every rank; torchrun starts them again after one has been killed."""
    pytest.importorskip("torch")
    alone, shared = tmp_path / "alone.json", tmp_path / "shared.json"
    assert main(words(small_set, alone, "--ann", str(small_set.ann), model="starter-fast")) == 0
    script = tmp_path / "dies_once.py"
    script.write_text(DIES_ONCE)
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--max-restarts", "1"]
    command = words(small_set, shared, "--ann", str(small_set.ann), "--launcher", "pytorch", model="starter-fast")
    process = start(*torchrun, str(script), str(tmp_path / "died"), *command)
    printed = "\n".join(process.communicate(timeout=120))
    assert process.returncode == 0, printed[-3000:]
    assert (tmp_path / "died").exists()
    assert "4 of 4 records refined" in printed
    assert shared.read_bytes() == alone.read_bytes()


# The first rank that has finished an image is killed, once.
DIES_ONCE = """
import os, signal, sys
from pathlib import Path
from bpr.cli.main import main
from bpr.refinement.sharing.journal import Journal

add, died = Journal.add, Path(sys.argv[1])

def dying(journal, done):
    add(journal, done)
    if not died.exists():
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)

Journal.add = dying
sys.exit(main(sys.argv[2:]))
"""


def test_ranks_that_nobody_started(scenes: SmallSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    assert main(words(scenes, tmp_path / "out.json", "--launcher", "slurm")) == 1
    assert "--launcher slurm: expected SLURM_PROCID" in capsys.readouterr().err
    assert main(words(scenes, tmp_path / "out.json", "--launcher", "slurm", "--shard", "1/2")) == 1
    assert "--shard: expected no --launcher with it" in capsys.readouterr().err


def test_a_journal_of_lines_is_read_by_eye(scenes: SmallSet, tmp_path: Path) -> None:
    """A line for every record that changed and one for the image, each with its checksum."""
    assert main(words(scenes, tmp_path / "out.json", "--shard", "1/24")) == 0
    lines = (tmp_path / ".out.json.run/shard-1-of-24.journal").read_text().splitlines()
    assert [line.split(" ", 2)[1] for line in lines] == ["0", "24", "48", "72", "="]
    assert json.loads(lines[-1].split(" ", 2)[2])["indices"] == [0, 24, 48, 72]
