"""What limits the preset ``fast``: the processor time of its network, and of every part of the rest.

    python -m benchmarks.studies.beside_network [--images N]

Generated street scenes (PNG) and, where the shared data lie beside the checkout, COCO val (JPEG), from files to a file,
in one thread; the network's answers are replayed, so that only the rest runs. Processor time, so that other work on the
machine counts little: the median of ROUNDS rounds. Were all work spread over the cores without loss, the whole would
take the processor time of the network and the rest.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.inputs import SHARED, Photo, Workload, coco_photos, street_photos
from benchmarks.measuring import RESULTS, made_on, markdown_table, provenance, script_parser, seconds_of, write_report
from benchmarks.suites.forward import MOST_OVER_PRESET, PRESET, Recorder, Replay
from bpr.backends.presets import load_preset
from bpr.refinement import levels, refiner, runner
from bpr.refinement.workbench import Workbench

ROUNDS = 3
READING, FEATURES = "read the image", "features for the verdict"
PARTS: dict[str, tuple[Any, str]] = {
    READING: (runner, "read_photo"),
    "place patches": (refiner, "patch_boxes"),
    "choose patches": (refiner, "select_boxes"),
    "cut patches": (Workbench, "cut"),
    "add them up": (Workbench, "blended"),
    FEATURES: (refiner, "describe_blended"),
    "masks at coarser levels": (levels, "carried"),
}
"""Functions of the rest: what they do, where they are looked up, and their names there."""


@contextmanager
def timed() -> Iterator[dict[str, float]]:
    """The processor seconds that this thread spends in every part."""
    spent = dict.fromkeys(PARTS, 0.0)

    def timer(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            start = time.thread_time()
            try:
                return function(*arguments, **options)
            finally:
                spent[part] += time.thread_time() - start

        return run

    with ExitStack() as stack:
        for part, (room, name) in PARTS.items():
            stack.enter_context(mock.patch.object(room, name, timer(part, getattr(room, name))))
        yield spent


def measure(photos: Sequence[Photo], count: int, folder: Path) -> dict[str, float]:
    """Processor milliseconds per image."""
    predictor, load = load_preset(PRESET), Workload.of(photos, count, folder)
    recorder = Recorder(predictor)
    load.refine(recorder, workers=0)
    rounds = []
    for _ in range(ROUNDS):
        network = seconds_of(lambda: [predictor.predict(batch) for batch in recorder.batches], time.process_time)
        with timed() as parts:
            rest = seconds_of(lambda: load.refine(Replay(recorder), workers=0), time.process_time)
        other = rest - sum(parts.values())
        rounds.append({"network": network, **parts, "everything else": other})
    return {name: 1000 * float(np.median([one[name] for one in rounds])) / count for name in rounds[0]}


def table(report: dict[str, Any]) -> str:
    """A row per part: milliseconds of each set; then the ratios."""
    sets = report["sets"]
    every = list(next(iter(sets.values())))
    lines = [[part, *(f"{found[part]:.1f}" for found in sets.values())] for part in every]
    shown = {
        "**all, over the network**": every,
        "the same without features": [part for part in every if part != FEATURES],
        "network and reading alone": ["network", READING],
    }
    for name, parts in shown.items():
        lines.append([name, *(f"{sum(found[part] for part in parts) / found['network']:.2f}" for found in sets.values())])
    note = f"{made_on(report)}; processor milliseconds per image, {report['images']} images each. Target: {MOST_OVER_PRESET}."
    return f"{note}\n\n{markdown_table(['', *sets], lines)}\n"


def main() -> None:
    parser = script_parser(__doc__, RESULTS / "beside_network.json")
    parser.add_argument("--images", type=int, default=24, help="of each set (default: %(default)s)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sets = {"street scenes": street_photos(folder), **({"COCO val": coco_photos()} if SHARED.is_dir() else {})}
        found = {shown: measure(photos, args.images, folder) for shown, photos in sets.items()}
    report = {"provenance": provenance(), "images": args.images, "preset": PRESET, "sets": found}
    write_report(args.out, report, table(report))


if __name__ == "__main__":
    main()
