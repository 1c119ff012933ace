"""Refining on one GPU: images and patches a second, how near to what the GPU can do, and the paper's three parts.

    python benchmarks/gpu.py [NETWORK ...] [--gates DATA] [--device cuda] [--out docs/results/gpu.json]

1024x2048 scenes with 20 instances, networks of random weights (they change no time) in bfloat16, channels last, full batches
as one CUDA graph; eager beside it. The first network also in several processes that share the GPU, as ranks of one run do.
With DATA, a folder with davis/ and detections/, also what the models of the package say in torch on this GPU, in float32 and in
bfloat16, against ONNX Runtime on the CPU: the gates of benchmarks/parity.py.
Shares are of what this GPU reaches in a large matrix product and in a copy; bytes are what convolutions, norms and
activations read and write when each runs by itself, so a fused network may need fewer.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import torch
from torch import nn

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # benchmarks/ is part of the checkout, not of the package

from benchmarks.exported_networks import CONFIGS, exported_network  # noqa: E402
from benchmarks.measuring import provenance  # noqa: E402
from benchmarks.parity import REFERENCE, compared, refined  # noqa: E402
from benchmarks.photos import Load, street_photos  # noqa: E402
from benchmarks.quality import Split  # noqa: E402
from bpr.backends import load_predictor  # noqa: E402
from bpr.formats.coco import read_results  # noqa: E402
from bpr.geometry.scheme import PatchScheme  # noqa: E402
from bpr.io.files import write_json  # noqa: E402
from bpr.refinement.predictor import PatchBatch  # noqa: E402
from bpr.refinement.refiner import Refiner  # noqa: E402
from bpr.refinement.sharing.ranks import take_cores  # noqa: E402
from bpr.report.analyses.timing import PAPER, time_stages  # noqa: E402
from bpr.training.complexity import multiply_adds  # noqa: E402
from bpr.training.loading import build_segmentor  # noqa: E402
from bpr.training.torch_predictor import GraphedPredictor, SegmentorPredictor  # noqa: E402

NETWORKS = (
    "hrnet-w18s_4xb8-160k_cityscapes-128x128",
    "hrnet-w18s_4xb8-160k_cityscapes-64x64",
    "hrnet-w48_4xb8-160k_cityscapes-256x256",
    "mobilenet-v2_2xb16-600_starter-128x128",
)
BATCH, IMAGES, MATRIX, COPY_BYTES, REPEATS = 256, 12, 8192, 2**30, 5
PROCESSES = (1, 2, 4, 8)
LONGEST_START = 120
"""Seconds that a process may be behind the others: beyond, one of them has failed."""


def seconds(function: Callable[[], object], device: str) -> float:
    """Median over REPEATS, after one that is not counted; the GPU has finished when the clock stops."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    spent = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        function()
        wait()
        spent.append(time.perf_counter() - start)
    return float(np.median(spent[1:]))


def limits(device: str) -> dict[str, float]:
    """What the device reaches: operations a second in a bfloat16 matrix product, bytes a second in a copy."""
    a = torch.randn(MATRIX, MATRIX, device=device, dtype=torch.bfloat16)
    source = torch.zeros(COPY_BYTES, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return {
        "operations": 2 * MATRIX**3 / seconds(lambda: a @ a, device),
        "bytes": 2 * COPY_BYTES / seconds(lambda: target.copy_(source), device),
    }


def bytes_moved(model: nn.Module, run: Callable[[], object], batch: int) -> float:
    """Bytes a patch that the network's layers read and write at two bytes a number."""
    moved = [0]

    def count(layer: nn.Module, given: tuple[torch.Tensor, ...], made: torch.Tensor) -> None:
        moved[0] += 2 * (sum(tensor.numel() for tensor in given) + made.numel())

    layers = (layer for layer in model.modules() if isinstance(layer, (nn.Conv2d, nn.modules.batchnorm._BatchNorm, nn.ReLU)))
    hooks = [layer.register_forward_hook(count) for layer in layers]
    run()
    for hook in hooks:
        hook.remove()
    return moved[0] / batch


def graphed(name: str, device: str, batch: int) -> GraphedPredictor:
    """A network of random weights."""
    cfg, model = build_segmentor(ROOT / "configs" / f"bpr_{name}.py")
    scheme = PatchScheme.from_refinement(cfg.refinement, "test").changed(nms_iou=0.25)
    return GraphedPredictor(model.to(device).eval(), scheme, batch, bf16=True)


def measure(name: str, load: Load, device: str, most: dict[str, float]) -> dict[str, Any]:
    predictor = graphed(name, device, BATCH)
    model, scheme = predictor.model, predictor.scheme
    eager = SegmentorPredictor(model, scheme, BATCH, bf16=True)
    work = 2 * multiply_adds(build_segmentor(ROOT / "configs" / f"bpr_{name}.py")[1])  # counted on the CPU
    patches = np.random.default_rng(0).integers(0, 256, (BATCH, scheme.window, scheme.window, scheme.channels), dtype=np.uint8)
    batch = PatchBatch(patches, np.zeros((BATCH, 4), np.int32), [])
    rate = BATCH / seconds(lambda: predictor.predict(batch), device)
    rates = {"patches_per_second": rate, "patches_per_second_eager": BATCH / seconds(lambda: eager.predict(batch), device)}
    moved = bytes_moved(model, lambda: eager.predict(batch), BATCH)
    whole = seconds(lambda: load.refine(predictor, workers=8), device) / len(load.files)
    timing = time_stages(read_results(load.results), load, Refiner(predictor))
    shares = {"of peak": rate * work / most["operations"], "of bandwidth": rate * moved / most["bytes"]}
    parts = {part: timing.milliseconds[part] for part in PAPER}
    return {"network": name, **rates, "images_per_second": 1 / whole, **shares, "milliseconds": parts, "paper": PAPER}


def measure_together(name: str, load: Load, device: str, processes: int) -> dict[str, Any]:
    """Images a second of so many processes on one GPU, each with its share of the cores and all images of ``load`` to refine."""
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(processes, context) as pool:
        refine = partial(_refine_together, name, load, device, BATCH, processes, manager.Barrier(processes))
        begun, ended = zip(*pool.map(refine, range(processes)), strict=True)
    return {"processes": processes, "images_per_second": processes * len(load.files) / (max(ended) - min(begun))}


def _refine_together(
    name: str, load: Load, device: str, batch: int, processes: int, all_ready: Barrier, number: int
) -> tuple[float, float]:
    """When the second of two runs began, which all processes start at once, and when it ended."""
    take_cores(number, processes)
    predictor, workers = graphed(name, device, batch), max(1, 8 // processes)
    load.refine(predictor, workers)
    all_ready.wait(LONGEST_START)
    begun = time.monotonic()
    load.refine(predictor, workers)
    return begun, time.monotonic()


def gates(data: Path, device: str) -> list[dict[str, Any]]:
    """What torch's graphs change on DAVIS val, model by model."""
    split, rows = Split.read(data, "davis_val"), []
    for name in CONFIGS:
        packaged = load_predictor(name, backend=REFERENCE)
        reference, network = refined(split, packaged), exported_network(name).to(device)
        for arithmetic, bf16 in (("float32", False), ("bfloat16", True)):
            found = refined(split, GraphedPredictor(network, packaged.scheme, bf16=bf16))
            rows.append({"model": name, "arithmetic": arithmetic, **compared(found, reference, exact=not bf16)})
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=NETWORKS, help="configs without bpr_ and .py (default: all of NETWORKS)")
    parser.add_argument("--gates", type=Path, metavar="DATA", help="folder with davis/ and detections/")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/gpu.json")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        load, most = Load.of(street_photos(Path(folder)), IMAGES, Path(folder)), limits(args.device)
        rows = [measure(name, load, args.device, most) for name in args.networks]
        together = [measure_together(args.networks[0], load, args.device, count) for count in PROCESSES]
    name = torch.cuda.get_device_name() if args.device == "cuda" else args.device
    report = {"device": name, "limits": most, "provenance": provenance(), "rows": rows, "together": together}
    if args.gates:
        report["gates"] = gates(args.gates, args.device)
    write_json(args.out, report, indent=1)
    print(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
