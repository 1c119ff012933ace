"""What sharing gains and what a journal costs: two ranks against one, a run with a journal against one without.

    python -m benchmarks.proofs.ranks [--out docs/results/ranks.json]

The sides take turns. Ranks are timed by the clock, from start to end with everything they load. The journal is timed
in processor seconds of one process on one core that has the model loaded: a run through journal, merge and file,
against one that holds all records in memory and writes the same file.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measuring import RESULTS, in_turn, provenance, script_parser, write_report
from benchmarks.painted_set import write_set
from benchmarks.proofs.processes import refine_command, start, wait
from bpr.backends import load_predictor
from bpr.formats.coco import read_annotations
from bpr.formats.recognise import open_source
from bpr.job import write_merged
from bpr.refinement.grouping import group_by_image
from bpr.refinement.refiner import Refiner
from bpr.refinement.runner import refine_images, refine_records
from bpr.refinement.sharing.run_folder import RunFolder
from bpr.refinement.sharing.shared_run import SharedRun
from bpr.refinement.sharing.workers import Shard

REPEATS = 4
SCENES, FEW_SCENES = 96, 12
"""SCENES is large, so that loading is a small part of the ranks' time."""


def timed_ranks(folder: Path) -> dict[str, list[float]]:
    """Seconds of one rank on one core and of two ranks on two; all write the same bytes."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    write_set(folder / "set", SCENES)

    def side(ranks: int) -> Callable[[], None]:
        def run() -> None:
            os.sched_setaffinity(0, cores[:ranks])  # the started processes inherit it
            wait(start(refine_command(folder / "set", folder / f"{ranks}.json"), ranks))

        return run

    spent = in_turn({"one rank, one core": side(1), "two ranks, two cores": side(2)}, REPEATS)
    if (folder / "1.json").read_bytes() != (folder / "2.json").read_bytes():
        raise RuntimeError("expected the same bytes of one rank and of two")
    return spent


def timed_journal(folder: Path) -> dict[str, list[float]]:
    """Processor seconds of the same run without and with a journal."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])  # waiting threads would count as work
    write_set(folder / "few", FEW_SCENES)
    document = read_annotations(folder / "few" / "instances.json")
    refiner, out = Refiner(load_predictor("starter-fast", backend="onnxruntime")), folder / "out.json"

    def opened() -> tuple[Any, Any]:
        few = folder / "few"
        source, images = open_source(few / "coarse.segm.json", None, few / "images", document["images"])
        return source, images()

    def without() -> None:
        source, images = opened()
        source.write(refine_records(source.records, images, refiner, workers=1)[0], out)

    def with_journal() -> None:
        source, images = opened()
        run = RunFolder(out)
        refine = partial(refine_images, source.records, images=images, refiner=refiner, workers=1)
        shared = SharedRun(run, Shard(), group_by_image(source.records), refine)
        with run.joined(shared.worker, {"fingerprint": {}, "job": {}}, resume=False):
            journals = shared.work(shared.images_done_before())
            write_merged(run, shared.by_image, journals, source, shared.clock, {})

    return in_turn({"without a journal": without, "with a journal": with_journal}, 2 * REPEATS, time.process_time)


def main() -> None:
    args = script_parser(__doc__, RESULTS / "ranks.json").parse_args()
    with tempfile.TemporaryDirectory(prefix="ranks-") as name:
        spent = {**timed_ranks(Path(name)), **timed_journal(Path(name))}
    write_report(args.out, {"provenance": provenance(), "scenes": [FEW_SCENES, SCENES], "seconds": spent})
    print({name: [round(value, 2) for value in values] for name, values in spent.items()})


if __name__ == "__main__":
    main()
