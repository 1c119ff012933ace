"""What an option of refining does to quality and time: schemes of patches, shares of patches, caution, blends.

    python -m benchmarks.studies.refine_options DATA scheme grid instance dense [--split davis_val]
    python -m benchmarks.studies.refine_options DATA keep .1 .25 .5 .75 1 --out docs/results/keep.json

DATA holds davis/, coco/ and detections/. Every value refines the records of a score of at least .05 with the same
model. The signals that were compared to choose patches are in docs/appendix/speed.md, the further passes in
docs/recipe.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.inputs import HELD_OUT, VAL, Split, means
from benchmarks.measuring import RESULTS, markdown_table, provenance, script_parser, write_report
from bpr.backends import load_refiner, model_file
from bpr.evaluation.matching import PAIR_SCORE
from bpr.io.files import sha256_of
from bpr.refinement.refiner import Refiner
from bpr.refinement.runner import refine_records

OPTIONS = {"scheme": str, "keep": float, "caution": float, "blend": str, "signal": str}
COLUMNS = (
    "patches per image", "F@2px change", "IoU change", "improved", "harmed", "seconds per image", "of which network",
)  # fmt: skip


def measure(split: Split, refiner: Refiner) -> dict[str, Any]:
    """Refine, and score the matched pairs; seconds are wall time."""
    refined, report = refine_records(split.records, split.images, refiner, min_score=PAIR_SCORE)
    clock = report.clock
    totals = {"patches": report.patches, "seconds": clock.wall, "network": clock.seconds.get("forward", 0.0)}
    per_image = {name: total / max(report.images, 1) for name, total in totals.items()}
    return {**per_image, "comparison": split.compared(refined)}


def cells(row: dict[str, Any]) -> list[str]:
    """Changes in points with their 95 % interval, shares in percent."""
    changes, shares = row["comparison"]["changes"], row["comparison"]["shares"]
    points = ([100 * changes[name][key] for key in ("mean", "low", "high")] for name in ("boundary_f", "iou"))
    parts = [f"{mean:+.2f} [{low:+.2f}, {high:+.2f}]" for mean, low, high in points]
    parts += [f"{100 * shares[name]:.0f} %" for name in ("improved", "harmed")]
    return [str(row["value"]), f"{row['patches']:.0f}", *parts, f"{row['seconds']:.2f}", f"{row['network']:.2f}"]


def markdown(report: dict[str, Any]) -> str:
    model, before = report["model"], report["before"]
    note = (
        f"{model['file']} (sha256 {model['sha256']}) on {report['split']}, {report['pairs']} matched pairs; before: "
        f"F@2px {100 * before['boundary_f']:.2f}, IoU {100 * before['iou']:.2f}. Changes in points [95 %]; seconds on "
        f"{report['provenance']['cores']} cores."
    )
    return f"{note}\n\n{markdown_table([report['option'], *COLUMNS], map(cells, report['rows']))}\n"


def main() -> None:
    parser = script_parser(__doc__, RESULTS / "schemes.json")
    parser.add_argument("data", type=Path)
    parser.add_argument("option", choices=OPTIONS)
    parser.add_argument("values", nargs="+")
    parser.add_argument("--model", default="starter", help="model name or .onnx file (default: %(default)s)")
    parser.add_argument("--split", choices=[*VAL, *HELD_OUT], default="davis_val")
    args = parser.parse_args()
    split, file, rows = Split.read(args.data, args.split), model_file(args.model), []
    for value in map(OPTIONS[args.option], args.values):
        refiner = load_refiner(args.model, **{args.option: value})
        rows.append({"value": value, **measure(split, refiner)})
    model = {"file": file.name, "sha256": sha256_of(file)[:16]}
    settings = {"option": args.option, "split": args.split, "model": model}
    numbers = {"pairs": len(split.pairs), "before": means(split.coarse), "rows": rows}
    report = {**settings, **numbers, "provenance": provenance()}
    write_report(args.out, report, markdown(report))


if __name__ == "__main__":
    main()
