"""Measure models on DAVIS val and COCO val: matched pairs, mask AP and Boundary AP.

    python -m benchmarks.studies.quality DATA starter starter-fast [MODEL.onnx ...]
    python -m benchmarks.studies.quality data/starter MODEL ... --held-out

DATA holds coco/, davis/ and detections/. One file per model goes to docs/results/quality; with --held-out, the models
are measured on the tenth of the training data that is used to choose between them (docs/results/held_out). Results
that benchmarks/tables/evaluate_model.sh left in runs/ are read. Detections of a score below .05 stay as they are: no
matched pair has one, and AP hardly changes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.inputs import HELD_OUT, VAL, Split
from benchmarks.measuring import RESULTS, dated_versions, script_parser, write_report
from bpr.backends import load_refiner, named_models
from bpr.evaluation.comparison import Evaluation
from bpr.evaluation.prepare import prepare_detections
from bpr.evaluation.summary import evaluate
from bpr.formats.coco import read_results
from bpr.geometry.options import to_dict
from bpr.refinement.refiner import Refiner

PACKAGES = ("bpr", "numpy", "opencv-python-headless", "onnxruntime", "pycocotools")
PLAIN = {"blend": "mean", "caution": 0}
"""How models are refined with on the held-out tenth: patches averaged evenly."""
LABELS = {"davis_choose": "DAVIS", "crisp_choose": "crisp photographs", "coco_choose": "COCO"}


def measure(model: str | Path, splits: list[Split]) -> dict[str, Any]:
    """All numbers of a model, and the versions that made them."""
    refiner = load_refiner(model)
    numbers = {split.name: on_split(split, Path(model).stem, refiner) for split in splits}
    options = to_dict(refiner.predictor.spec, refiner.options)
    return {"change": Path(model).stem, "options": options, **numbers, **dated_versions(PACKAGES)}


def on_split(split: Split, model: str, refiner: Refiner) -> dict[str, Any]:
    """The numbers of ``bpr eval``, and of patches if nothing was kept."""
    kept, patches = Path("runs") / f"{split.name}.{model}.json", {}
    if kept.is_file():
        after = prepare_detections(read_results(kept), split.document, str(kept)).records
    else:
        after, patches["patches"] = split.refined(refiner, every=True)
    sides = {Evaluation: split.evaluation(after)}, {Evaluation: split.coarse}
    summary = evaluate(*sides, ("matched", "ap", "boundary-ap")).to_dict()
    return {**patches, **{name: summary[name] for name in ("pairs", "rows", "shares")}}


def on_held_out(model: str | Path, splits: list[Split]) -> dict[str, Any]:
    """Gains in F@2px and IoU, clear harm and patches on every held-out set."""
    refiner, sets = load_refiner(model, **PLAIN), {}
    for split in splits:
        after, patches = split.refined(refiner)
        found = split.compared(after)
        f, iou = (found["changes"][name]["mean"] for name in ("boundary_f", "iou"))
        sets[LABELS[split.name]] = {"f": f, "iou": iou, "harmed_clearly": found["shares"]["harmed_clearly"], "patches": patches}
    pairs = {LABELS[split.name]: len(split.pairs) for split in splits}
    return {"model": Path(model).stem, "pairs": pairs, "rows": [{**PLAIN, "sets": sets}], **dated_versions(PACKAGES)}


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("models", nargs="+", help=f"{', '.join(named_models())}, or .onnx files")
    parser.add_argument("--held-out", action="store_true", help="measure on the held-out tenth of the training data")
    args = parser.parse_args()
    splits = [Split.read(args.data, name) for name in (HELD_OUT if args.held_out else VAL)]
    folder, numbers = (RESULTS / "held_out", on_held_out) if args.held_out else (RESULTS / "quality", measure)
    for model in args.models:
        write_report(folder / f"{Path(model).stem}.json", numbers(model, splits))


if __name__ == "__main__":
    main()
