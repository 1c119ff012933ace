"""Measure models on DAVIS val and COCO val: matched pairs and, with --precision, mask AP and Boundary AP.

    python benchmarks/quality.py DATA starter starter-fast [MODEL.onnx ...] --precision

DATA holds coco/, davis/ and detections/. One file per model in docs/results/quality; `python benchmarks/readme_tables.py`
makes the table. Results that evaluate_model.sh left in runs/ are taken from there. Detections of a score under .05 stay as
they are: no matched pair has one, and AP hardly moves by them.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bpr.backends import load_predictor, named_models
from bpr.cli.options import versions_of
from bpr.evaluation.case import PROTOCOLS, Case
from bpr.evaluation.inputs import Detections, check_annotations, check_detections
from bpr.evaluation.matched_pairs import LEAST_SCORE
from bpr.evaluation.summary import evaluate
from bpr.formats.coco import Record, read_annotations, read_results
from bpr.io.files import write_json
from bpr.io.images import ImageFolder
from bpr.refinement.predictor import Predictor
from bpr.refinement.refiner import Refiner
from bpr.refinement.runner import refine_records

RESULTS = Path("docs/results/quality")
SETS = {
    "davis_val": ("davis/val", "davis/annotations/instances_val.json", "detections/davis_val.segm.json"),
    "coco_val2017": ("coco/val2017", "coco/annotations/instances_val2017.json", "detections/coco_val2017.segm.json"),
}
PACKAGES = ("bpr", "numpy", "opencv-python-headless", "onnxruntime", "pycocotools")


@dataclass(frozen=True)
class Split:
    """A set of images: what is refined, and the coarse side of every comparison."""

    name: str
    coarse: Case
    images: ImageFolder

    @classmethod
    def read(cls, data: Path, name: str) -> Split:
        """A validation split."""
        return cls.of(data, name, *SETS[name])

    @classmethod
    def of(cls, data: Path, name: str, images: str, annotations: str, results: str) -> Split:
        """A set of its own folder and files under ``data``."""
        document = check_annotations(read_annotations(data / annotations), annotations)
        coarse = check_detections(read_results(data / results), document, results)
        return cls(name, Case(coarse, document, PROTOCOLS["coco"]), ImageFolder(data / images, document["images"]))

    def measure(self, model: str, predictor: Predictor, precision: bool) -> dict[str, Any]:
        """The numbers of ``bpr eval``; without ``precision`` only the records of the matched pairs are refined."""
        left = Path("runs") / f"{self.name}.{model}.json"
        if precision and left.is_file():
            return self.compared(check_detections(read_results(left), self.coarse.document, str(left)).records, precision)
        after, patches = self.refined(predictor, every=precision)
        return {"patches": patches, **self.compared(after, precision)}

    def refined(self, predictor: Predictor, every: bool = False) -> tuple[list[Record], int]:
        """All records, those of the matched pairs refined, with ``every`` all of a score that counts; how many patches that took."""
        records, paired = self.coarse.records, {pair.record for pair in self.coarse.pairs}
        asked = [i for i, record in enumerate(records) if i in paired or (every and record["score"] >= LEAST_SCORE)]
        refined, report = refine_records([records[i] for i in asked], self.images, Refiner(predictor))
        after = list(records)
        for index, record in zip(asked, refined, strict=True):
            after[index] = record
        return after, report.patches

    def compared(self, after: list[Record], precision: bool) -> dict[str, Any]:
        """The numbers of ``bpr eval`` for the refined records ``after``."""
        case = Case(Detections(after, self.name), self.coarse.document, self.coarse.protocol, self.coarse)
        metrics = ("matched", "ap", "boundary-ap") if precision else ("matched",)
        summary = evaluate({Case: case}, {Case: self.coarse}, metrics).to_dict()
        return {"pairs": summary["pairs"], "rows": summary["rows"], "shares": summary["shares"]}


def measured(model: str | Path, splits: list[Split], precision: bool, options: dict[str, float]) -> dict[str, Any]:
    """All numbers of a model, refining with what of its scheme is given in ``options``, and what made them."""
    predictor = load_predictor(model, **options)
    numbers = {split.name: split.measure(_named(model, options), predictor, precision) for split in splits}
    return {"scheme": predictor.scheme.to_dict(), **numbers, "versions": versions_of(PACKAGES), "date": time.strftime("%Y-%m-%d")}


def _named(model: str | Path, options: dict[str, float]) -> str:
    return ".".join([Path(model).stem, *(f"{name}-{value:g}" for name, value in options.items())])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("models", nargs="+", help=f"{', '.join(named_models())}, or .onnx files")
    parser.add_argument("--precision", action="store_true", help="refine every detection, and measure AP")
    parser.add_argument("--wide", type=int, help="as of bpr refine; each of these makes a row of its own")
    parser.add_argument("--passes", type=int)
    parser.add_argument("--withdrawn", type=float)
    parser.add_argument("--caution", type=float)
    args = parser.parse_args()
    splits = [Split.read(args.data, name) for name in SETS]
    options = {name: value for name in ("wide", "passes", "withdrawn", "caution") if (value := getattr(args, name)) is not None}
    for model in args.models:
        change = ", ".join([Path(model).stem, *(f"{name} {value:g}" for name, value in options.items())])
        numbers = measured(model, splits, args.precision, options)
        write_json(RESULTS / f"{_named(model, options)}.json", {"change": change, **numbers}, indent=1)


if __name__ == "__main__":
    main()
