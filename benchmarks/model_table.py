"""Parameters, multiply-adds and patches per second of the network of every config, on the CPU.

    python benchmarks/model_table.py [CONFIG.py ...] [--threads 2] [--out docs/results/models.json]

Patches of 64 px go in as uint8 and come out as probabilities, in batches of 32, by torch (float32, channels_last) and by
ONNX Runtime from the file that ``bpr export`` writes; their largest difference is noted. Weights are random: they change
no time. A slow network is timed by one batch, a fast one by the median of several. Rows that the --out file already has
from this machine, with these versions and threads, are kept; remove the file to measure anew.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

sys.path.insert(0, str(Path(__file__).parents[1]))  # benchmarks/ is part of the checkout, not of the package

import bpr.training  # noqa: F401
from benchmarks.measuring import processor
from bpr.backends.onnx_runtime import OnnxPredictor
from bpr.errors import BPRError
from bpr.geometry.scheme import PatchScheme
from bpr.io.files import atomic_open, read_json, write_json
from bpr.refinement.predictor import PatchBatch
from bpr.training.complexity import multiply_adds, parameters
from bpr.training.export import export_onnx
from bpr.training.patch_segmentor import PatchSegmentor
from bpr.training.registry import MODELS

CONFIGS = Path(__file__).parents[1] / "configs"
BATCH = 32
REPEATS = 7
SECONDS = 1.5
HEADER = ("network", "input px", "reads", "parameters", "GMACs a patch", "torch, patches/s", "ONNX Runtime, patches/s")


@dataclass(frozen=True)
class Rate:
    """Median over ``repeats`` batches."""

    patches_per_second: float
    repeats: int


@dataclass(frozen=True)
class Row:
    """One network at one input side; ``difference`` is the largest between the probabilities of both runtimes."""

    network: str
    input_side: int
    inputs: tuple[str, ...]
    parameters: int
    multiply_adds: int
    torch: Rate
    onnx: Rate
    difference: float


def measure(cfg: Config, name: str, threads: int) -> Row:
    """Build the network of a config, count it, and time it in both runtimes."""
    scheme = PatchScheme.from_refinement(cfg.refinement, "test")
    torch.manual_seed(0)
    model = MODELS.build({**cfg.model, "pretrained": None}).eval()
    patches = np.random.default_rng(0).integers(0, 256, (BATCH, scheme.window, scheme.window, scheme.channels), dtype=np.uint8)

    def by_torch(count: int) -> np.ndarray:
        with torch.inference_mode():
            return model.probabilities(torch.from_numpy(patches[:count])).numpy()

    predictor = exported(model, scheme, name, threads)

    def by_onnx(count: int) -> np.ndarray:
        return predictor.predict(PatchBatch(patches[:count], np.zeros((count, 4), np.int32), []))

    difference = float(np.abs(by_torch(2) - by_onnx(2)).max())
    size = parameters(model), multiply_adds(model)
    return Row(name, model.data_preprocessor.input_side, scheme.inputs, *size, rate(by_torch), rate(by_onnx), difference)


def exported(model: PatchSegmentor, scheme: PatchScheme, name: str, threads: int) -> OnnxPredictor:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        export_onnx(model, scheme, file, {"config": name})
        return OnnxPredictor(file, BATCH, threads)


def rate(predict: Callable[[int], np.ndarray]) -> Rate:
    """Up to REPEATS batches after a small one to warm up, and no further one after SECONDS."""
    predict(2)
    spent: list[float] = []
    while len(spent) < REPEATS and sum(spent) < SECONDS:
        start = time.perf_counter()
        predict(BATCH)
        spent.append(time.perf_counter() - start)
    return Rate(BATCH / float(np.median(spent)), len(spent))


def networks(configs: Sequence[Path]) -> dict[str, Config]:
    """By config name; what differs only in its data or schedule stands once."""
    found: dict[str, Config] = {}
    seen = set()
    for path in configs:
        cfg = Config.fromfile(path)
        model = json.dumps(cfg.model.to_dict(), sort_keys=True)
        if model not in seen:
            seen.add(model)
            found[path.stem] = cfg
    return found


def conditions(threads: int) -> dict[str, Any]:
    """What the rates depend on."""
    versions = {"torch": torch.__version__, "onnxruntime": onnxruntime.__version__, "python": platform.python_version()}
    return {"processor": processor(), "cores": os.cpu_count(), "threads": threads, "batch": BATCH, "versions": versions}


def cells(row: dict[str, Any]) -> list[str]:
    network = row["network"].removeprefix("bpr_").partition("_")[0]
    counts = [f"{row['parameters'] / 1e6:.2f} M", f"{row['multiply_adds'] / 1e9:.2f}"]
    return [
        network,
        str(row["input_side"]),
        ", ".join(row["inputs"]),
        *counts,
        *(f"{row[k]['patches_per_second']:.1f}" for k in ("torch", "onnx")),
    ]


def markdown(report: dict[str, Any]) -> str:
    """The table, cheapest network first."""
    rows = sorted(report["rows"].values(), key=lambda row: row["multiply_adds"])
    lines = [HEADER, ["---"] * len(HEADER), *map(cells, rows)]
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    machine = f"{report['date']}, {report['threads']} threads on {report['processor']}; {versions}"
    note = f"{machine}. Batches of {report['batch']} patches of 64 px, float32."
    return f"{note}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def run(args: argparse.Namespace) -> None:
    torch.set_num_threads(args.threads)
    init_default_scope("mmseg")
    here, out = conditions(args.threads), Path(args.out) if args.out else None
    before = read_json(out, "a table of model_table.py") if out and out.is_file() else {}
    rows = before["rows"] if here.items() <= before.items() else {}
    report = {**here, "date": time.strftime("%Y-%m-%d"), "command": "python benchmarks/model_table.py", "rows": rows}
    for name, cfg in networks([Path(config) for config in args.configs]).items():
        if name not in rows:
            rows[name] = asdict(measure(cfg, name, args.threads))
            print(" | ".join(cells(rows[name])), flush=True)
            if out:
                write(out, report)
    print(markdown(report), end="")


def write(out: Path, report: dict[str, Any]) -> None:
    """The numbers to ``out`` and the table beside it, with the suffix ``.md``."""
    write_json(out, report, indent=1)
    with atomic_open(out.with_suffix(".md")) as file:
        file.write(markdown(report))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", nargs="*", default=sorted(CONFIGS.glob("*.py")), help="config files (default: all of configs/)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of both runtimes (default: all cores)")
    parser.add_argument("--out", metavar="JSON", help="write the numbers there and the table beside it (.md)")
    args = parser.parse_args(argv)
    try:
        run(args)
    except BPRError as error:
        print(f"model_table: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
