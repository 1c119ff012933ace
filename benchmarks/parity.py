"""Which backends say what ONNX Runtime says of a model in float32: masks on DAVIS val, and F@2px. Writes bpr/assets/parity.json.

    python benchmarks/parity.py DATA [--models starter starter-fast ...]

Every backend that is installed refines every detection of a matched pair. One that is exact must give equal masks, one of
reduced precision may move F@2px by 0.2 points; a quantized file (NAME.int8) is measured against the file that it was made of.
What fails stays in the record, and `--backend auto` does not take it. Numbers of other files and backends stay.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # benchmarks/ is part of the checkout, not of the package

from benchmarks.quality import Split
from bpr.backends import load_predictor, model_file, named_models
from bpr.backends.gates import record_beside, within_gate
from bpr.backends.registry import BACKENDS, Backend
from bpr.cli.options import versions_of
from bpr.evaluation.matched_pairs import score_records
from bpr.formats.coco import Record
from bpr.io.files import read_json, sha256_of, write_json
from bpr.refinement.predictor import Predictor

PACKAGES = ("bpr", "numpy", "opencv-python-headless", "onnxruntime", "openvino", "torch")
REFERENCE = "onnxruntime"


@dataclass(frozen=True)
class Refined:
    """The records of the matched pairs after refining, and their mean F@2px in points."""

    records: list[Record]
    points: float


def refined(split: Split, predictor: Predictor) -> Refined:
    pairs, (records, _) = split.coarse.pairs, split.refined(predictor)
    points = 100 * float(score_records(records, pairs).boundary_f.mean())
    return Refined([records[index] for index in sorted({pair.record for pair in pairs})], points)


def compared(found: Refined, reference: Refined, exact: bool) -> dict[str, Any]:
    """Share of equal masks, change of F@2px in points, and whether both are within the gate."""
    equal = [one["segmentation"] == other["segmentation"] for one, other in zip(found.records, reference.records, strict=True)]
    share, points = sum(equal) / len(equal), found.points - reference.points
    return {"passed": within_gate(exact, share, points), "exact": exact, "equal_masks": share, "f2_points": points, "masks": len(equal)}


def measure(split: Split, model: str) -> dict[str, Any]:
    """The entry of one model's file."""
    origin = original(model)
    file = model_file(model)  # by path: a name takes files alone that are on the record already
    reference = refined(split, load_predictor(model_file(origin), backend=REFERENCE))
    backends = {}
    for backend in runnable(model):
        same = origin == model and backend.name == REFERENCE
        found = reference if same else refined(split, load_predictor(file, backend=backend.name))
        backends[backend.name] = compared(found, reference, backend.exact and origin == model)
        print(model, backend.name, backends[backend.name], flush=True)
    return {"model": file.name, "against": f"{model_file(origin).name} on {REFERENCE}", "backends": backends}


def original(model: str) -> str:
    """The model that a quantized one was made of: its name without the last part, where there is such a model."""
    stem = model.rpartition(".")[0]
    return stem if stem in named_models() else model


def runnable(model: str) -> list[Backend]:
    suffix = model_file(model).suffix
    return [backend for backend in BACKENDS.values() if backend.suffix == suffix and not backend.missing()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with davis/ and detections/")
    parser.add_argument("--models", nargs="+", default=list(named_models()), help="names (default: all that come with the package)")
    args = parser.parse_args()
    split = Split.read(args.data, "davis_val")
    for model in args.models:
        path = model_file(model)
        record = record_beside(path)
        known = read_json(record, "a record of this script") if record.is_file() else {}
        entry = {**measure(split, model), "date": time.strftime("%Y-%m-%d"), "versions": versions_of(PACKAGES)}
        write_json(record, merged(known, sha256_of(path), entry), indent=1)


def merged(known: dict[str, Any], sha256: str, entry: dict[str, Any]) -> dict[str, Any]:
    """The record with a new entry: what another machine measured of the same file stays, an earlier file of that name goes."""
    others = {key: other for key, other in known.items() if other["model"] != entry["model"]}
    backends = {**known.get(sha256, {}).get("backends", {}), **entry["backends"]}
    return {**others, sha256: {**entry, "backends": backends}}


if __name__ == "__main__":
    main()
