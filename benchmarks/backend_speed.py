"""Patches per second of every backend that is installed, for every network of the package, as ratios to torch's eager float32.

    python benchmarks/backend_speed.py [--repeats 15] [--out docs/results/backend_speed.json]

Torch reads the weights out of the exported file. The baseline is float32 in the contiguous layout, as the released code
runs; batches of 32 patches come as uint8 and go as probabilities. Every file of the model that lies beside it
(NAME.int8.onnx, ...) is a row too. All rows run in turn within one process, so a busy machine slows all of them alike;
`passed` says what benchmarks/parity.py found (torch's float32 is a reference, its bfloat16 is not on record).
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # benchmarks/ is part of the checkout, not of the package

from benchmarks.exported_networks import CONFIGS, exported_network
from benchmarks.measuring import in_turn, processor
from bpr.backends import model_file, named_models
from bpr.backends.gates import passed
from bpr.backends.registry import BACKENDS
from bpr.cli.options import versions_of
from bpr.geometry.scheme import PatchScheme
from bpr.io.files import write_json
from bpr.refinement.predictor import PatchBatch, Predictor
from bpr.training.patch_segmentor import PatchSegmentor
from bpr.training.torch_predictor import SegmentorPredictor

BATCH = 32
TARGET = 6
BASELINE = "torch eager float32, contiguous"
PACKAGES = ("bpr", "numpy", "onnxruntime", "openvino", "torch")


def sides(name: str) -> dict[str, tuple[Predictor, bool]]:
    """By row name: a predictor of the model, and whether it has passed its gate."""
    found = {label: (predictor, label in (BASELINE, "torch")) for label, predictor in by_torch(name).items()}
    return found | {label: made for file in variants(name) for label, made in by_runtime(file)}


def variants(name: str) -> list[Path]:
    """The model's file and those that were made of it."""
    return [path for stem, path in named_models().items() if stem == name or stem.startswith(f"{name}.")]


def by_torch(name: str) -> dict[str, Predictor]:
    """Eager torch with the weights of the exported file."""
    scheme = BACKENDS["onnxruntime"].load(model_file(name), None).scheme
    plain, fast = (network(name, contiguous) for contiguous in (True, False))
    kinds = {BASELINE: (plain, False), "torch": (fast, False), "torch-bf16": (fast, True)}
    return {label: SegmentorPredictor(model, scheme, BATCH, bf16) for label, (model, bf16) in kinds.items()}


def network(name: str, contiguous: bool) -> PatchSegmentor:
    """The model's network; ``contiguous`` undoes the layout that is faster."""
    model = exported_network(name)
    if contiguous:
        model.to(memory_format=torch.contiguous_format)
        model.backbone.register_forward_pre_hook(lambda _, inputs: tuple(one.contiguous() for one in inputs))
    return model


def by_runtime(path: Path) -> Iterator[tuple[str, tuple[Predictor, bool]]]:
    """Every installed backend that reads the file."""
    for backend in BACKENDS.values():
        if backend.suffix == path.suffix and not backend.missing():
            kind = path.stem.partition(".")[2]
            label = f"{backend.name}, {kind} file" if kind else backend.name
            yield label, (backend.load(path, None), passed(path, backend.name))


def noise(scheme: PatchScheme) -> PatchBatch:
    shape = (BATCH, scheme.window, scheme.window, scheme.channels)
    patches = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return PatchBatch(patches, np.zeros((BATCH, 4), np.int32), [])


def measure(name: str, repeats: int) -> dict[str, Any]:
    predictors = sides(name)
    batch = noise(next(iter(predictors.values()))[0].scheme)
    spent = in_turn({label: partial(predictor.predict, batch) for label, (predictor, _) in predictors.items()}, repeats)
    rows = [row(label, np.array(seconds), np.array(spent[BASELINE]), predictors[label][1]) for label, seconds in spent.items()]
    best = max((one for one in rows if one["passed"]), key=lambda one: one["ratio"])
    return {"model": name, "rows": rows, "best": best["name"], "best_ratio": best["ratio"]}


def row(name: str, seconds: np.ndarray, baseline: np.ndarray, gate: bool) -> dict[str, Any]:
    """Patches per second (quartiles), and the median over rounds of the ratio to the baseline of the same round."""
    low, median, high = np.percentile(BATCH / seconds, [25, 50, 75]).tolist()
    ratio = float(np.median(baseline / seconds))
    return {"name": name, "patches_per_second": median, "low": low, "high": high, "ratio": ratio, "passed": gate}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=CONFIGS, default=list(CONFIGS))
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--out", default="docs/results/backend_speed.json")
    args = parser.parse_args()
    found = [measure(name, args.repeats) for name in args.models]
    for one in found:
        for own in one["rows"]:
            gate = "" if own["passed"] else "  (gate not passed)"
            print(f"{one['model']:14}{own['name']:36} {own['patches_per_second']:7.1f} patches/s  {own['ratio']:5.2f}{gate}")
    machine = {"processor": processor(), "cores": os.cpu_count(), "python": platform.python_version(), "threads": torch.get_num_threads()}
    settings = {"batch": BATCH, "repeats": args.repeats, "baseline": BASELINE, "target": TARGET, "date": time.strftime("%Y-%m-%d")}
    write_json(args.out, {**settings, "machine": machine, "versions": versions_of(PACKAGES), "models": found}, indent=1)


if __name__ == "__main__":
    main()
