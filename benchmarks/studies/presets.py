"""Quality against time: F@2px gained on DAVIS val and seconds per image, for every model, backend and preset.

    python -m benchmarks.studies.presets DATA [--out docs/results/presets.json]

Every detection of a score of at least .05 is refined, from image files to masks. The gain is that of the matched
pairs of all images; the time is that of the first TIMED images, with all rows in turn in one process. A row is on the
Pareto front if no other is both better and faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.inputs import Split, backends_of
from benchmarks.measuring import RESULTS, Timing, in_turn, provenance, script_parser, write_report
from bpr.backends import load_refiner
from bpr.backends.presets import PRESETS
from bpr.evaluation.matching import PAIR_SCORE
from bpr.formats.coco import Record
from bpr.refinement.outcome import RunReport
from bpr.refinement.refiner import Refiner
from bpr.refinement.runner import refine_records

SET = "davis_val"
MODELS = ("starter", "starter.int8", "starter-fast", "starter-fast.int8")
KEEPS = (1.0, 0.5)
TIMED, REPEATS = 12, 5
LEAST_SHARE = 0.9
"""Of the gain of ``accurate``, which ``fast`` has to keep."""


def refine(split: Split, records: Sequence[Record], refiner: Refiner) -> tuple[list[Record], RunReport]:
    return refine_records(records, split.images, refiner, min_score=PAIR_SCORE)


def refiners() -> dict[str, Refiner]:
    """Every model on every installed backend, with all patches and with half of them, and the presets."""
    named = {f"preset {name}": load_refiner(preset=name) for name in PRESETS}
    for model in MODELS:
        for backend in backends_of(model):
            for keep in KEEPS:
                label = f"{model}, {backend}" + (f", keep {keep:g}" if keep < 1 else "")
                named[label] = load_refiner(model, backend=backend, keep=keep)
    return named


def measure(data: Path) -> dict[str, Any]:
    split, named = Split.read(data, SET), refiners()
    images = list(dict.fromkeys(record["image_id"] for record in split.records if record["score"] >= PAIR_SCORE))
    timed = [record for record in split.records if record["image_id"] in images[:TIMED]]
    rows = [{"name": label, **quality(split, refiner)} for label, refiner in named.items()]
    spent = in_turn({label: partial(refine, split, timed, refiner) for label, refiner in named.items()}, REPEATS)
    rows = [{**row, "seconds": asdict(Timing.of(spent[row["name"]], per=TIMED))} for row in rows]
    rows.sort(key=lambda row: row["seconds"]["median"])
    gains = {row["name"]: row["gain"] for row in rows}
    settings = {"set": SET, "images": len(images), "timed": TIMED, "least_score": PAIR_SCORE, "target": LEAST_SHARE}
    kept = gains["preset fast"] / gains["preset accurate"]
    rows = [{**row, "front": is_on_front(row, rows)} for row in rows]
    return {**settings, "fast_keeps": kept, "provenance": provenance(), "rows": rows}


def quality(split: Split, refiner: Refiner) -> dict[str, float]:
    """The gain in F@2px, and patches per image, with every detection of a sufficient score refined."""
    after, report = refine(split, split.records, refiner)
    gain = split.compared(after)["changes"]["boundary_f"]["mean"]
    return {"gain": gain, "patches": report.patches / max(report.images, 1)}


def is_on_front(row: dict[str, Any], rows: Sequence[dict[str, Any]]) -> bool:
    """Whether no other row is both as good and as fast, and better in one of the two.

    >>> a, b = ({"seconds": {"median": seconds}, "gain": 0.1} for seconds in (1, 2))
    >>> is_on_front(a, [a, b]), is_on_front(b, [a, b])
    (True, False)
    """
    own = row["gain"], -row["seconds"]["median"]
    others = [(other["gain"], -other["seconds"]["median"]) for other in rows]
    return not any(other != own and other[0] >= own[0] and other[1] >= own[1] for other in others)


def main() -> None:
    parser = script_parser(__doc__, RESULTS / "presets.json")
    parser.add_argument("data", type=Path)
    args = parser.parse_args()
    write_report(args.out, measure(args.data))


if __name__ == "__main__":
    main()
