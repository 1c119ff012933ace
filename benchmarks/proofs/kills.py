"""Kill a run again and again at random moments, as one process and as several ranks, and count lost records.

    python -m benchmarks.proofs.kills [--out docs/results/chaos.json]

Every attempt draws 1, 2 or 4 ranks and waits until an image reaches a journal, and then a random time. One rank dies
by SIGKILL, and a little later the others, as when a scheduler ends a broken job. The next attempt continues with
--resume. When a run finishes, its bytes are compared with those of an undisturbed run, and a new run begins.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import RESULTS, dated_versions, script_parser, write_report
from benchmarks.painted_set import write_set
from benchmarks.proofs.processes import refine_command, start, wait

KILLS, SEED = 50, 0
SCENES, FRAME = 60, (120, 160)
RANKS = (1, 2, 4)
LONGEST = 1.5
"""Most seconds from the first image of an attempt to its death."""


class KilledRun:
    """A run that is started and killed, and what came out of all attempts."""

    def __init__(self, folder: Path) -> None:
        self.data, self.out, self.undisturbed = folder / "set", folder / "refined.json", folder / "undisturbed.json"
        self.run_folder = folder / ".refined.json.run"
        self.rng = np.random.default_rng(SEED)
        self.found, self.kills = Counter[str](), Counter[int]()
        write_set(self.data, SCENES, FRAME)
        wait(start(refine_command(self.data, self.undisturbed)))

    def attempt(self) -> None:
        """Start ranks, and kill them unless they finish first."""
        ranks = int(self.rng.choice(RANKS))
        before_kill, between_kills = float(self.rng.uniform(0, LONGEST)), float(self.rng.uniform(0, 0.2))
        processes = start(refine_command(self.data, self.out, "--resume"), ranks)
        self._wait_for_an_image(processes)
        time.sleep(before_kill)
        if any(process.poll() is None for process in processes):
            self.kills[ranks] += 1
        for process in self.rng.permutation(np.array(processes, object)):
            process.kill()
            process.communicate()
            time.sleep(between_kills)
            between_kills = 0.0
        if self.out.exists() and not self.run_folder.exists():
            self.compare()

    def finish(self) -> None:
        """Let the last run finish."""
        wait(start(refine_command(self.data, self.out, "--resume")))
        self.compare()

    def compare(self) -> None:
        """Compare the finished file with the undisturbed run's, and delete it."""
        files = (json.loads(path.read_text()) for path in (self.out, self.undisturbed))
        ours, theirs = ([json.dumps(record) for record in records] for records in files)
        missing, surplus = Counter(theirs) - Counter(ours), Counter(ours) - Counter(theirs)
        equal = self.out.read_bytes() == self.undisturbed.read_bytes()
        lost, duplicated = missing.total(), surplus.total()
        self.found.update(runs=1, records=len(ours), equal=equal, lost=lost, duplicated=duplicated)
        self.out.unlink()

    def _wait_for_an_image(self, processes: list[subprocess.Popen[str]]) -> None:
        def journal_bytes() -> int:
            return sum(path.stat().st_size for path in self.run_folder.glob("*.journal"))

        before = journal_bytes()
        while journal_bytes() == before and all(process.poll() is None for process in processes):
            time.sleep(0.01)


def kill_runs() -> dict[str, Any]:
    """Kill at least ``KILLS`` times, finish, and return the counts."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        run = KilledRun(Path(folder))
        while run.kills.total() < KILLS:
            run.attempt()
            print(dict(run.kills), dict(run.found), flush=True)
        run.finish()
    settings = {"seed": SEED, "scenes": SCENES, "seconds": round(time.perf_counter() - began)}
    counts = {name: int(count) for name, count in run.found.items()}
    origin = dated_versions(("bpr", "numpy", "onnxruntime", "torch"))
    return {**origin, **settings, "kills": {str(ranks): run.kills[ranks] for ranks in RANKS}, **counts}


def main() -> None:
    args = script_parser(__doc__, RESULTS / "chaos.json").parse_args()
    found = kill_runs()
    write_report(args.out, found)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
