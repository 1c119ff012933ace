"""``bpr export``: a trained checkpoint -> one ONNX file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bpr.cli.options import import_training, versions_of
from bpr.cli.paths import InputName, InputPath, OutputPath
from bpr.errors import BPRError

EXAMPLE = "bpr export CONFIG.py work_dirs/run/iter_4500.pth --out model.onnx"
PACKAGES = ("bpr", "torch", "mmengine", "mmsegmentation", "onnx", "onnxscript")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=InputName, help="config that the checkpoint was trained with")
    parser.add_argument("checkpoint", type=InputPath, help=".pth file of training")
    parser.add_argument("--trained-on", type=str, metavar="TEXT", help="a note on the training data, stored in the file")
    parser.add_argument("--out", type=OutputPath, required=True, help="ONNX file to write")


def run(args: argparse.Namespace) -> int:
    import_training()
    from bpr.geometry.options import from_config
    from bpr.training.export.to_onnx import export_onnx, provenance_of
    from bpr.training.network.segmentor import load_segmentor

    cfg, model = load_segmentor(args.config, args.checkpoint)
    spec, recommended = from_config(cfg.refinement, "test")
    provenance = provenance_of(args.config, args.checkpoint, args.trained_on, versions_of(PACKAGES))
    parity = export_onnx(model, spec, recommended, args.out, provenance)
    size, input_side = Path(args.out).stat().st_size / 2**20, model.data_preprocessor.input_side
    print(f"{args.out}: {size:.2f} MiB, {spec.window} px patches, {input_side} px input")
    print(
        f"largest difference from torch on random patches: {parity.graph:.1e}; "
        f"with weights in half precision {parity.stored:.1e}"
    )
    _measure(args.out, cfg)
    return 0


def _measure(out: str, cfg: Mapping[str, Any]) -> None:
    """Print what the file does to a few instances that the config names, and warn where it harms them."""
    from bpr.training.export.measuring import measure_export

    try:
        measured = measure_export(out, cfg)
    except BPRError as error:
        print(f"not measured, because the data of the config cannot be read: {error}")
        return
    if measured is None:
        print("not measured, because the config names no masks")
        return
    print(measured)
    if measured.harms:
        remedy = "do not use this file; train longer, or start from trained weights (load_from)"
        print(f"warning: {out} makes masks worse: {measured}; {remedy}", file=sys.stderr)
