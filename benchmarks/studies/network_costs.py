"""Parameters, multiply-adds and patches per second of the network of every config, on the CPU.

    python -m benchmarks.studies.network_costs [CONFIG.py ...] [--threads 2] [--out docs/results/models.json]

Batches of 32 patches of 64 px go in as uint8 and come out as probabilities, by torch (float32, channels_last) and by
ONNX Runtime from the file that ``bpr export`` writes; the largest difference between the two is noted. Weights are
random, which changes no time.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.analysis import FlopAnalyzer
from mmengine.config import Config
from mmengine.registry import init_default_scope

import bpr.training.network  # noqa: F401
from benchmarks.inputs import random_batch
from benchmarks.measuring import RESULTS, ROOT, markdown_table, provenance, script_parser, seconds_of, write_report
from bpr.backends.onnx_runtime import OnnxPredictor
from bpr.geometry.options import from_config
from bpr.refinement.predictor import PatchBatch
from bpr.training.export.to_onnx import export_onnx
from bpr.training.network.segmentor import PatchSegmentor
from bpr.training.registry import MODELS

BATCH = 32
REPEATS = 7
SECONDS = 1.5
PACKAGES = ("torch", "onnxruntime")
HEADER = ("network", "input px", "reads", "parameters", "GMACs a patch", "torch, patches/s", "ONNX Runtime, patches/s")


def measure(cfg: Config, name: str, threads: int) -> dict[str, Any]:
    """Build the network of a config, count it, and time it in both runtimes, which must agree."""
    spec, recommended = from_config(cfg.refinement, "test")
    torch.manual_seed(0)
    model = MODELS.build({**cfg.model, "pretrained": None}).eval()
    batch, small = random_batch(spec, BATCH), random_batch(spec, 2)
    with tempfile.TemporaryDirectory() as folder:
        export_onnx(model, spec, recommended, Path(folder) / "model.onnx", {"config": name})
        predictor = OnnxPredictor(Path(folder) / "model.onnx", BATCH, threads)

    def by_torch(batch: PatchBatch) -> np.ndarray:
        with torch.inference_mode():
            return model.probabilities(torch.from_numpy(batch.patches)).numpy()

    return {
        "network": name,
        "input_side": model.data_preprocessor.input_side,
        "inputs": spec.inputs,
        "parameters": count_parameters(model),
        "multiply_adds": count_multiply_adds(model),
        "torch": rate(by_torch, small, batch),
        "onnx": rate(predictor.predict, small, batch),
        "difference": float(np.abs(by_torch(small) - predictor.predict(small)).max()),
    }


def count_parameters(model: PatchSegmentor) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def count_multiply_adds(model: PatchSegmentor) -> int:
    """Multiply-adds of one patch at the network's input side, preprocessing left out.

    Counted by MMEngine, which includes norms and resizing.
    """
    side, channels = model.data_preprocessor.input_side, model.data_preprocessor.mean.shape[1]
    analyser = FlopAnalyzer(model.eval(), torch.zeros(1, channels, side, side))
    return int(analyser.unsupported_ops_warnings(False).uncalled_modules_warnings(False).total())


def rate(predict: Callable[[PatchBatch], object], small: PatchBatch, batch: PatchBatch) -> dict[str, float]:
    """The median of up to REPEATS runs of ``batch`` after the small one to warm up, but no further one after SECONDS."""
    predict(small)
    spent: list[float] = []
    while len(spent) < REPEATS and sum(spent) < SECONDS:
        spent.append(seconds_of(lambda: predict(batch)))
    return {"patches_per_second": BATCH / float(np.median(spent)), "repeats": len(spent)}


def networks(configs: Sequence[Path]) -> dict[str, Config]:
    """The configs by name; those that differ only in data or schedule appear once."""
    found, seen = {}, set()
    for path in configs:
        cfg = Config.fromfile(path)
        model = json.dumps(cfg.model.to_dict(), sort_keys=True)
        if model not in seen:
            seen.add(model)
            found[path.stem] = cfg
    return found


def cells(row: dict[str, Any]) -> list[str]:
    network = row["network"].removeprefix("bpr_").partition("_")[0]
    counts = [f"{row['parameters'] / 1e6:.2f} M", f"{row['multiply_adds'] / 1e9:.2f}"]
    rates = [f"{row[runtime]['patches_per_second']:.1f}" for runtime in ("torch", "onnx")]
    return [network, str(row["input_side"]), ", ".join(row["inputs"]), *counts, *rates]


def markdown(report: dict[str, Any]) -> str:
    """The table, cheapest network first."""
    origin, rows = report["provenance"], sorted(report["rows"].values(), key=lambda row: row["multiply_adds"])
    versions = ", ".join(f"{name} {version}" for name, version in origin["versions"].items())
    machine = f"{origin['date']}, {report['threads']} threads on {origin['processor']}; {versions}"
    note = f"{machine}. Batches of {report['batch']} patches of 64 px, float32."
    return f"{note}\n\n{markdown_table(HEADER, map(cells, rows))}\n"


def main(argv: Sequence[str] | None = None) -> None:
    parser = script_parser(__doc__, RESULTS / "models.json")
    configs = sorted((ROOT / "configs").glob("*.py"))
    parser.add_argument("configs", nargs="*", type=Path, default=configs, help="default: all")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of both runtimes (default: all cores)")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    init_default_scope("mmseg")
    rows = {name: measure(cfg, name, args.threads) for name, cfg in networks(args.configs).items()}
    report = {"threads": args.threads, "batch": BATCH, "provenance": provenance(PACKAGES), "rows": rows}
    write_report(args.out, report, markdown(report))


if __name__ == "__main__":
    main()
