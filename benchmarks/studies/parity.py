"""Compare every backend with ONNX Runtime in float32: masks on DAVIS val, and F@2px. Writes parity.json beside each model.

    python -m benchmarks.studies.parity DATA [--models starter starter-fast ...]

Every installed backend refines the detections of the matched pairs, and takes every change, because no backend
computes the verdict. An exact backend must give equal masks; one of reduced precision may cost 0.2 points of F@2px; a
quantized file (NAME.int8) is compared with the file that it was made from. Failures stay in the record, and
``--backend auto`` avoids them. Numbers of other networks and backends stay.
What this processor cannot do is left out: there OpenVINO computes in float32 instead of bfloat16, and int8 saturates.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.inputs import Split, backends_of, means
from benchmarks.measuring import dated_versions, script_parser, write_report
from bpr.backends import load_predictor, model_file, named_models
from bpr.backends.gates import network_digest, record_beside, within_gate
from bpr.backends.presets import multiplies_bytes
from bpr.backends.registry import BACKENDS
from bpr.formats.coco import Record
from bpr.io.files import read_json
from bpr.refinement.predictor import Predictor
from bpr.refinement.refiner import Refiner

PACKAGES = ("bpr", "numpy", "opencv-python-headless", "onnxruntime", "openvino", "torch")
REFERENCE = "onnxruntime"


@dataclass(frozen=True)
class Refined:
    """The refined records of the matched pairs, and their mean F@2px in points."""

    records: list[Record]
    points: float


def refine(split: Split, predictor: Predictor) -> Refined:
    records, _ = split.refined(Refiner(predictor, predictor.recommended.changed(caution=0.0)))
    points = 100 * means(split.evaluation(records))["boundary_f"]
    return Refined([records[index] for index in sorted({pair.record for pair in split.pairs})], points)


def compare(found: Refined, reference: Refined, exact: bool) -> dict[str, Any]:
    """The share of equal masks, the change of F@2px in points, and whether both are within the gate."""
    pairs = zip(found.records, reference.records, strict=True)
    equal = [one["segmentation"] == other["segmentation"] for one, other in pairs]
    share, points = sum(equal) / len(equal), found.points - reference.points
    numbers = {"exact": exact, "equal_masks": share, "f2_points": points, "masks": len(equal)}
    return {"passed": within_gate(exact, share, points), **numbers}


def measure(split: Split, model: str) -> dict[str, Any]:
    """The entry of one model's file."""
    original = model.rpartition(".")[0]  # of a quantized file
    if original not in named_models():
        original = model
    file = model_file(model)  # load by path: a name takes only files that SHA256SUMS lists already
    reference = refine(split, load_predictor(model_file(original), backend=REFERENCE))
    backends = {}
    for name in backends_of(model):
        if name == "openvino-bf16" and not computes_bfloat16():
            print(model, name, "left out: this processor does not compute in bfloat16", flush=True)
            continue
        same = original == model and name == REFERENCE
        found = reference if same else refine(split, load_predictor(file, backend=name))
        backends[name] = compare(found, reference, BACKENDS[name].exact and original == model)
        print(model, name, backends[name], flush=True)
    return {"model": file.name, "against": f"{model_file(original).name} on {REFERENCE}", "backends": backends}


def computes_bfloat16() -> bool:
    """Whether OpenVINO does on this processor."""
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def merged(known: dict[str, Any], sha256: str, entry: dict[str, Any]) -> dict[str, Any]:
    """The record with a new entry, in the place of an earlier one of that name.

    Other backends of the same network stay; an earlier network of that name goes.
    """
    backends = {**known.get(sha256, {}).get("backends", {}), **entry["backends"]}
    row = sha256, {**entry, "backends": backends}
    return dict([*(row if other["model"] == entry["model"] else (key, other) for key, other in known.items()), row])


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("data", type=Path, help="folder with davis/ and detections/")
    parser.add_argument("--models", nargs="+", default=list(named_models()), help="default: all of the package")
    args = parser.parse_args()
    split = Split.read(args.data, "davis_val")
    for model in args.models:
        if model.endswith(".int8") and not multiplies_bytes():
            print(model, "left out: this processor does not multiply bytes", flush=True)
            continue
        path = model_file(model)
        record = record_beside(path)
        known = read_json(record, "a record of this script") if record.is_file() else {}
        entry = {**measure(split, model), **dated_versions(PACKAGES)}
        write_report(record, merged(known, network_digest(path), entry))


if __name__ == "__main__":
    main()
