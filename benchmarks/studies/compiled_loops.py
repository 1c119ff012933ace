"""What each compiled loop saves: processor time of ``--preset fast``, and of everything but the network.

    python -m benchmarks.studies.compiled_loops [--repeats 25] [--out docs/results/compiled_loops.json]

Every loop is switched off alone while the others run, on generated street scenes and on COCO val, image by image in
one thread. The network is replaced by a replay of its own answers, which costs nothing; the whole preset is timed
beside it. The least processor time of several runs counts, which other work on the machine disturbs least. A loop
stays in the package if it saves 5 % of the preset's time, or of the time without a network, averaged over both sets.
The rows of removed loops stay in the report.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.inputs import Photo, Workload, coco_photos, street_photos
from benchmarks.measuring import RESULTS, in_turn, markdown_table, provenance, script_parser, write_report
from benchmarks.suites.forward import Recorder, Replay
from bpr.backends.presets import load_preset
from bpr.io.files import read_json

LOOPS = {"suppress and cover": "placement", "colour histograms": "evidence"}
"""By name: the module of bpr.geometry that calls the loop."""


@contextmanager
def switched_off(loops: Collection[str]) -> Iterator[None]:
    """Let the modules that call these loops find no compiled code."""
    with ExitStack() as patches:
        for name in loops:
            patches.enter_context(mock.patch(f"bpr.geometry.{LOOPS[name]}.kernels", return_value=None))
        yield


def measure(photos: Sequence[Photo], folder: Path, repeats: int) -> dict[str, Any]:
    """Processor milliseconds per image: of the preset, of the rest beside its network, and what each loop saves."""
    predictor, least = load_preset("fast"), Counter[str]()
    for photo in photos:
        load = Workload.of([photo], 1, folder)
        recorder = Recorder(predictor)
        load.refine(recorder)
        off = {"rest": [], **{name: [name] for name in LOOPS}, "all loops": list(LOOPS)}
        sides = {name: partial(replay, load, recorder, loops) for name, loops in off.items()}
        spent = in_turn({"preset": partial(load.refine, predictor), **sides}, repeats, time.process_time)
        least.update({name: min(seconds) * 1000 / len(photos) for name, seconds in spent.items()})
    preset, rest = least.pop("preset"), least.pop("rest")
    return {"preset": preset, "rest": rest, "saved": {name: spent - rest for name, spent in least.items()}}


def replay(load: Workload, recorder: Recorder, off: Collection[str]) -> None:
    with switched_off(off):
        load.refine(Replay(recorder), workers=0)


def markdown(report: dict[str, Any]) -> str:
    """One row per loop: what it saves on each set of images, in milliseconds and in shares."""
    sets, rows = report["sets"], []
    for name in next(iter(sets.values()))["saved"]:
        cells = [name]
        for one in sets.values():
            saved = one["saved"][name]
            cells += [f"{saved:.2f}", f"{saved / (one['preset'] + saved):.1%}", f"{saved / (one['rest'] + saved):.1%}"]
        rows.append([*cells, "" if name == "all loops" else "kept" if name in LOOPS else "removed"])
    head = [f"{label}: {what}" for label in sets for what in ("ms saved", "of preset fast", "of the rest")]
    times = {label: f"{one['preset']:.1f} ms, of which {one['rest']:.1f}" for label, one in sets.items()}
    totals = "; ".join(f"{label} {time} beside the network" for label, time in times.items())
    origin = report["provenance"]
    machine = f"{origin['date']}, {origin['cores']} cores of {origin['processor']}, Python {origin['python']}"
    note = f"{machine}; processor time per image. `--preset fast`: {totals}."
    return f"{note}\n\n{markdown_table(['loop', *head, 'verdict'], rows)}\n"


def main() -> None:
    parser = script_parser(__doc__, RESULTS / "compiled_loops.json")
    parser.add_argument("--repeats", type=int, default=25)
    args = parser.parse_args()
    before = read_json(args.out, "a report of compiled_loops.py")["sets"] if args.out.is_file() else {}
    with tempfile.TemporaryDirectory() as name:
        sets = {"street scenes": street_photos(Path(name)), "COCO val": coco_photos()}
        found = {label: measure(photos, Path(name), args.repeats) for label, photos in sets.items()}
    for label, one in found.items():
        one["saved"] = {**before.get(label, one)["saved"], **one["saved"]}
    report = {"provenance": provenance(), "sets": found}
    write_report(args.out, report, markdown(report))


if __name__ == "__main__":
    main()
