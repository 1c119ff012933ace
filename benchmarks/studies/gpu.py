"""Refining on one GPU: images and patches per second, the share of the GPU's limits, and the paper's three parts.

    python -m benchmarks.studies.gpu [--gates DATA] [--device cuda] [--out docs/results/gpu.json]

1024x2048 scenes with 20 instances; networks of random weights (which change no time) in bfloat16, channels last, full
batches as one CUDA graph, with eager execution beside it. Images are refined twice: with patches cut and put back on the
CPU, and "on the card". The first network also runs in several processes that share the GPU, as the ranks of one run do.
With DATA, a folder with davis/ and detections/, the models of the package run in torch on this GPU in float32 and
bfloat16 and are compared with ONNX Runtime on the CPU, as by parity.py. Shares are of what this GPU reaches in a large
matrix product and in a copy; the bytes are those that convolutions, norms and activations read and write if each runs by
itself, so that a fused network may need fewer.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.inputs import CONFIGS, Split, Workload, exported_network, random_batch, street_photos
from benchmarks.measuring import RESULTS, ROOT, in_turn, provenance, script_parser, write_report
from benchmarks.studies.network_costs import count_multiply_adds
from benchmarks.studies.parity import REFERENCE, compare, refine
from bpr.backends import load_predictor
from bpr.formats.coco import read_results
from bpr.geometry.options import from_config
from bpr.refinement.refiner import Refiner
from bpr.refinement.sharing.ranks import take_cores
from bpr.report.analyses.timing import PAPER, time_stages
from bpr.training.network.segmentor import build_segmentor
from bpr.training.torch_predictor import GraphedPredictor, SegmentorPredictor

NETWORKS = (
    "hrnet-w18s_4xb8-160k_cityscapes-128x128",
    "hrnet-w18s_4xb8-160k_cityscapes-64x64",
    "hrnet-w48_4xb8-160k_cityscapes-256x256",
    "mobilenet-v2-detail_1xb32-2800_any-mask-128x128",
)
BATCH, IMAGES, MATRIX, COPY_BYTES, REPEATS = 256, 12, 8192, 2**30, 5
PROCESSES = (1, 2, 4, 8)
PLACEMENTS = (False, True)
"""Whether patches are cut on the card."""
ARITHMETIC = {"float32": False, "bfloat16": True}
"""What the gates compare with the reference, and whether it is bfloat16."""
LONGEST_START = 120
"""Seconds to wait for the other processes before the run fails."""


def seconds(function: Callable[[], object], device: str) -> float:
    """Median over REPEATS runs after one to warm up; the clock stops when the GPU has finished."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    spent = in_turn({"": lambda: (function(), wait())}, REPEATS)[""]
    return float(np.median(spent))


def limits(device: str) -> dict[str, float]:
    """Operations per second in a bfloat16 matrix product, and bytes per second in a copy."""
    a = torch.randn(MATRIX, MATRIX, device=device, dtype=torch.bfloat16)
    source = torch.zeros(COPY_BYTES, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    operations = 2 * MATRIX**3 / seconds(lambda: a @ a, device)
    return {"operations": operations, "bytes": 2 * COPY_BYTES / seconds(lambda: target.copy_(source), device)}


def bytes_moved(model: nn.Module, run: Callable[[], object], batch: int) -> float:
    """Bytes per patch that the network's layers read and write, at two bytes per number."""
    moved = [0]

    def count(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        moved[0] += 2 * (sum(tensor.numel() for tensor in inputs) + output.numel())

    kinds = (nn.Conv2d, nn.modules.batchnorm._BatchNorm, nn.ReLU)
    hooks = [layer.register_forward_hook(count) for layer in model.modules() if isinstance(layer, kinds)]
    run()
    for hook in hooks:
        hook.remove()
    return moved[0] / batch


def graphed(name: str, device: str, batch: int, on_card: bool = False) -> GraphedPredictor:
    """A network of random weights, in bfloat16 on a GPU: many processors only emulate it."""
    cfg, model = build_segmentor(ROOT / "configs" / f"bpr_{name}.py")
    spec, recommended = from_config(cfg.refinement, "test")
    bf16 = device == "cuda"
    return GraphedPredictor(model.to(device).eval(), spec, recommended.changed(nms_iou=0.25), batch, bf16=bf16, on_card=on_card)


def measure(name: str, load: Workload, device: str, most: dict[str, float]) -> dict[str, Any]:
    predictor, bf16 = graphed(name, device, BATCH), device == "cuda"
    model, spec = predictor.model, predictor.spec
    eager = SegmentorPredictor(model, spec, predictor.recommended, BATCH, bf16=bf16)
    work = 2 * count_multiply_adds(build_segmentor(ROOT / "configs" / f"bpr_{name}.py")[1])  # counted on the CPU
    batch = random_batch(spec, BATCH)
    rate = BATCH / seconds(lambda: predictor.predict(batch), device)
    eager_rate = BATCH / seconds(lambda: eager.predict(batch), device)
    rates = {"patches_per_second": rate, "patches_per_second_eager": eager_rate}
    moved = bytes_moved(model, lambda: eager.predict(batch), BATCH)
    whole = seconds(lambda: load.refine(predictor, workers=8), device) / len(load.files)
    card = GraphedPredictor(model, spec, predictor.recommended, BATCH, bf16=bf16, on_card=True)
    on_card = seconds(lambda: load.refine(card, workers=8), device) / len(load.files)
    timing = time_stages(read_results(load.results), load, Refiner(predictor))
    shares = {"of peak": rate * work / most["operations"], "of bandwidth": rate * moved / most["bytes"]}
    parts = {part: timing.milliseconds[part] for part in PAPER}
    images = {"images_per_second": 1 / whole, "images_per_second_on_card": 1 / on_card}
    return {"network": name, **rates, **images, **shares, "milliseconds": parts, "paper": PAPER}


def measure_together(name: str, load: Workload, device: str, processes: int) -> list[dict[str, Any]]:
    """Images per second of several processes on one GPU, each with its share of cores and all of ``load``, by placement."""
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(processes, context) as pool:
        barrier = manager.Barrier(processes)
        work = partial(_refine_together, name, load, device, BATCH, processes, barrier)
        of_processes = list(pool.map(work, range(processes)))
    rows = []
    for on_card, times in zip(PLACEMENTS, zip(*of_processes, strict=True), strict=True):
        begun, ended = zip(*times, strict=True)
        rate = processes * len(load.files) / (max(ended) - min(begun))
        rows.append({"processes": processes, "on_card": on_card, "images_per_second": rate})
    return rows


def _refine_together(
    name: str, load: Workload, device: str, batch: int, processes: int, barrier: Barrier, number: int
) -> list[tuple[float, float]]:
    """By placement, start and end of the second of two runs, which all processes start at the same time."""
    take_cores(number, processes)
    workers, times = max(1, 8 // processes), []
    for on_card in PLACEMENTS:
        predictor = graphed(name, device, batch, on_card)
        load.refine(predictor, workers)
        barrier.wait(LONGEST_START)
        begun = time.monotonic()
        load.refine(predictor, workers)
        times.append((begun, time.monotonic()))
    return times


def gates(data: Path, device: str) -> list[dict[str, Any]]:
    """Compare torch's graphs with the reference on DAVIS val, model by model."""
    split, rows = Split.read(data, "davis_val"), []
    for name in CONFIGS:
        packaged = load_predictor(name, backend=REFERENCE)
        reference, network = refine(split, packaged), exported_network(name).to(device)
        for (arithmetic, bf16), on_card in product(ARITHMETIC.items(), PLACEMENTS):
            predictor = GraphedPredictor(network, packaged.spec, packaged.recommended, bf16=bf16, on_card=on_card)
            found = refine(split, predictor)
            way = f"{arithmetic}, on the card" if on_card else arithmetic
            rows.append({"model": name, "arithmetic": way, **compare(found, reference, exact=not bf16)})
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    parser = script_parser(__doc__, RESULTS / "gpu.json")
    parser.add_argument("--gates", type=Path, metavar="DATA", help="folder with davis/ and detections/")
    parser.add_argument("--device", default="cuda")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        load, most = Workload.of(street_photos(Path(folder)), IMAGES, Path(folder)), limits(args.device)
        rows = [measure(name, load, args.device, most) for name in NETWORKS]
        together = [row for count in PROCESSES for row in measure_together(NETWORKS[0], load, args.device, count)]
    name = torch.cuda.get_device_name() if args.device == "cuda" else args.device
    report = {"device": name, "limits": most, "provenance": provenance(), "rows": rows, "together": together}
    if args.gates:
        report["gates"] = gates(args.gates, args.device)
    write_report(args.out, report)
    print(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
