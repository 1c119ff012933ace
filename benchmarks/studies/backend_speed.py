"""Patches per second of every installed backend for every network of the package, as ratios to torch's eager float32.

    python -m benchmarks.studies.backend_speed [--out docs/results/backend_speed.json]

Torch takes the weights from the exported file. The baseline is float32 in the contiguous layout, as the released code
runs. Batches of 32 patches go in as uint8 and come out as probabilities. Quantized files of a model (NAME.int8.onnx)
are rows too. All rows run in turn in one process, so that a busy machine slows all of them alike. ``passed`` is the
verdict of parity.py; torch's float32 is a reference itself, its bfloat16 is not on record.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks.inputs import CONFIGS, exported_network, random_batch
from benchmarks.measuring import RESULTS, in_turn, provenance, script_parser, write_report
from bpr.backends import model_file, named_models
from bpr.backends.gates import gates_of
from bpr.backends.registry import BACKENDS
from bpr.refinement.predictor import Predictor
from bpr.training.torch_predictor import SegmentorPredictor

BATCH, REPEATS = 32, 9
TARGET = 6
BASELINE = "torch eager float32, contiguous"


def by_torch(name: str) -> dict[str, Predictor]:
    """Eager torch with the weights of the exported file."""
    exported = BACKENDS["onnxruntime"].load(model_file(name))
    plain, fast = exported_network(name), exported_network(name)
    plain.to(memory_format=torch.contiguous_format)
    plain.backbone.register_forward_pre_hook(lambda _, inputs: tuple(one.contiguous() for one in inputs))
    kinds = {BASELINE: (plain, False), "torch": (fast, False), "torch-bf16": (fast, True)}
    same = (exported.spec, exported.recommended, BATCH)
    return {label: SegmentorPredictor(model, *same, bf16) for label, (model, bf16) in kinds.items()}


def by_runtime(name: str) -> dict[str, tuple[Predictor, bool]]:
    """Every installed backend with every file of the model, and whether it has passed its gate."""
    found = {}
    for stem, path in named_models().items():
        if stem == name or stem.startswith(f"{name}."):
            kind = path.stem.partition(".")[2]
            for backend in BACKENDS.values():
                if backend.suffix == path.suffix and not backend.missing():
                    label = f"{backend.name}, {kind} file" if kind else backend.name
                    found[label] = backend.load(path), gates_of(path).get(backend.name, False)
    return found


def measure(name: str) -> dict[str, Any]:
    sides = {label: (one, label != "torch-bf16") for label, one in by_torch(name).items()} | by_runtime(name)
    batch = random_batch(next(iter(sides.values()))[0].spec, BATCH)
    spent = in_turn({label: partial(predictor.predict, batch) for label, (predictor, _) in sides.items()}, REPEATS)
    rows = []
    for label, seconds in spent.items():
        low, median, high = np.percentile(BATCH / np.array(seconds), [25, 50, 75]).tolist()
        # The ratio is the median over rounds: a busy round slows both of its sides.
        ratio = float(np.median(np.array(spent[BASELINE]) / seconds))
        rates = {"patches_per_second": median, "low": low, "high": high, "ratio": ratio}
        rows.append({"name": label, **rates, "passed": sides[label][1]})
        print(f"{name:14}{label:36} {median:7.1f} patches/s  {ratio:5.2f}", flush=True)
    best = max((one for one in rows if one["passed"]), key=lambda one: one["ratio"])
    return {"model": name, "rows": rows, "best": best["name"], "best_ratio": best["ratio"]}


def main() -> None:
    args = script_parser(__doc__, RESULTS / "backend_speed.json").parse_args()
    settings = {"batch": BATCH, "repeats": REPEATS, "baseline": BASELINE, "target": TARGET}
    models = [measure(name) for name in CONFIGS]
    write_report(args.out, {**settings, "provenance": provenance(), "models": models})


if __name__ == "__main__":
    main()
