"""Measure models on DAVIS val and COCO val: matched pairs and, with --precision, mask AP and Boundary AP.

    python -m benchmarks.studies.quality DATA starter starter-fast [MODEL.onnx ...] --precision
    python -m benchmarks.studies.quality data/starter MODEL ... --held-out

DATA holds coco/, davis/ and detections/. One file per model goes to docs/results/quality; with --held-out, the models
are measured on the tenth of the training data that is used to choose between them (docs/results/held_out). Results
that benchmarks/tables/evaluate_model.sh left in runs/ are read. Detections of a score below .05 stay as they are: no
matched pair has one, and AP hardly changes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bpr.evaluation.inputs import check_detections

from benchmarks.inputs import HELD_OUT, VAL, Split
from benchmarks.measuring import RESULTS, dated_versions, script_parser, write_report
from bpr.backends import load_refiner, named_models
from bpr.formats.coco import read_results
from bpr.geometry.options import to_dict
from bpr.refinement.refiner import Refiner

PACKAGES = ("bpr", "numpy", "opencv-python-headless", "onnxruntime", "pycocotools")
PLAIN = {"blend": "mean", "caution": 0}
"""How models are refined with on the held-out tenth: patches averaged evenly."""
LABELS = {"davis_choose": "DAVIS", "crisp_choose": "crisp photographs", "coco_choose": "COCO"}


def measure(model: str | Path, splits: list[Split], precision: bool) -> dict[str, Any]:
    """All numbers of a model, and the versions that made them."""
    refiner = load_refiner(model)
    numbers = {split.name: on_split(split, Path(model).stem, refiner, precision) for split in splits}
    options = to_dict(refiner.predictor.spec, refiner.options)
    return {"options": options, **numbers, **dated_versions(PACKAGES)}


def on_split(split: Split, model: str, refiner: Refiner, precision: bool) -> dict[str, Any]:
    """The numbers of ``bpr eval``; without ``precision`` only the records of the matched pairs are refined."""
    kept = Path("runs") / f"{split.name}.{model}.json"
    if precision and kept.is_file():
        return split.evaluated(check_detections(read_results(kept), split.document, str(kept)).records, precision)
    after, patches = split.refined(refiner, every=precision)
    return {"patches": patches, **split.evaluated(after, precision)}


def on_held_out(model: str, splits: list[Split]) -> dict[str, Any]:
    """Gains in F@2px and IoU, clear harm and patches on every held-out set."""
    refiner, sets = load_refiner(model, **PLAIN), {}
    for split in splits:
        found = on_split(split, model, refiner, precision=False)
        f, iou = (found["rows"][f"{name}/matched"]["change"] for name in ("F@2px", "IoU"))
        harmed = found["shares"]["harmed_clearly"]
        sets[LABELS[split.name]] = {"f": f, "iou": iou, "harmed_clearly": harmed, "patches": found["patches"]}
    pairs = {LABELS[split.name]: len(split.pairs) for split in splits}
    return {"model": Path(model).stem, "pairs": pairs, "rows": [{**PLAIN, "sets": sets}], **dated_versions(PACKAGES)}


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("models", nargs="+", help=f"{', '.join(named_models())}, or .onnx files")
    parser.add_argument("--precision", action="store_true", help="refine every detection, and measure AP")
    parser.add_argument("--held-out", action="store_true", help="measure on the held-out tenth of the training data")
    args = parser.parse_args()
    splits = [Split.read(args.data, name) for name in (HELD_OUT if args.held_out else VAL)]
    for model in args.models:
        stem, folder = Path(model).stem, RESULTS / ("held_out" if args.held_out else "quality")
        numbers = on_held_out(model, splits) if args.held_out else measure(model, splits, args.precision)
        write_report(folder / f"{stem}.json", numbers if args.held_out else {"change": stem, **numbers})


if __name__ == "__main__":
    main()
