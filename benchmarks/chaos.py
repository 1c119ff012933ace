"""Kill a run again and again at random moments, as one process and as ranks, and count what is lost in the end.

    python -m benchmarks.chaos [--kills 50] [--seed 0] [--out docs/results/chaos.json]

Every attempt draws 1, 2 or 4 ranks, waits until an image reaches a journal, and a random time; then one rank dies by SIGKILL, and
a little later the others, as when a scheduler ends a broken job. Each attempt goes on with --resume; when a run gets to its end, its
bytes are compared with the undisturbed run's and the next one begins. docs/results/chaos.json has how long that took.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.demo_set import write_set
from benchmarks.ranks_by_hand import refine_words, start, wait
from bpr.cli.options import versions_of
from bpr.io.files import write_json

SCENES, FRAME = 60, (120, 160)
RANKS = (1, 2, 4)
LONGEST = 1.5
"""Seconds from the first image of an attempt to its death, at most."""


class Chaos:
    """A run that is never left alone."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.data, self.out, self.undisturbed = folder / "set", folder / "refined.json", folder / "undisturbed.json"
        self.rng, self.found = np.random.default_rng(seed), Counter[str]()
        self.kills = Counter[int]()
        write_set(self.data, SCENES, FRAME)
        wait(start(refine_words(self.data, self.undisturbed)))

    def attempt(self) -> None:
        """Start ranks, and kill them if they do not come to an end before."""
        ranks = int(self.rng.choice(RANKS))
        wait_before, wait_between = float(self.rng.uniform(0, LONGEST)), float(self.rng.uniform(0, 0.2))
        processes = start(refine_words(self.data, self.out, "--resume"), ranks)
        self._until_it_works(processes, wait_before)
        if any(process.poll() is None for process in processes):
            self.kills[ranks] += 1
        for process in self.rng.permutation(np.array(processes, object)):
            process.kill()
            process.communicate()
            time.sleep(wait_between)
            wait_between = 0.0
        if self.out.exists() and not self._run_folder().exists():
            self.compare()

    def finish(self) -> None:
        """Leave the last run alone."""
        wait(start(refine_words(self.data, self.out, "--resume")))
        self.compare()

    def compare(self) -> None:
        """What came out in the end, against the undisturbed run."""
        ours, theirs = ([json.dumps(record) for record in json.loads(path.read_text())] for path in (self.out, self.undisturbed))
        missing, more = Counter(theirs) - Counter(ours), Counter(ours) - Counter(theirs)
        equal = self.out.read_bytes() == self.undisturbed.read_bytes()
        self.found.update(runs=1, records=len(ours), equal=equal, lost=missing.total(), duplicated=more.total())
        self.out.unlink()

    def _run_folder(self) -> Path:
        return self.out.parent / f".{self.out.name}.run"

    def _written(self) -> int:
        return sum(path.stat().st_size for path in self._run_folder().glob("*.journal"))

    def _until_it_works(self, processes: list[subprocess.Popen[str]], seconds: float) -> None:
        before = self._written()
        while self._written() == before and all(process.poll() is None for process in processes):
            time.sleep(0.01)
        time.sleep(seconds)


def chaos(kills: int, seed: int) -> dict[str, Any]:
    """The whole of it; what came out."""
    began = time.perf_counter()
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        run = Chaos(folder, seed)
        while run.kills.total() < kills:
            run.attempt()
            print(dict(run.kills), dict(run.found), flush=True)
        run.finish()
    finally:
        shutil.rmtree(folder)
    versions = versions_of(("bpr", "numpy", "onnxruntime", "torch"))
    said = {
        "date": time.strftime("%Y-%m-%d"),
        "seed": seed,
        "scenes": SCENES,
        "seconds": round(time.perf_counter() - began),
        "versions": versions,
    }
    return {**said, "kills": {str(ranks): run.kills[ranks] for ranks in RANKS}, **{name: int(count) for name, count in run.found.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="docs/results/chaos.json")
    args = parser.parse_args()
    found = chaos(args.kills, args.seed)
    write_json(args.out, found, indent=1)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
