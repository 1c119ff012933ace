"""``bpr quantize``: an exported model -> the same in int8."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from bpr.cli.numbers import at_least
from bpr.cli.options import import_training, versions_of

HELP = "make an int8 file of an exported model, scaled by patches of your detections"
EXAMPLE = "bpr quantize starter --results train.segm.json --ann train.json --img-dir images --out starter.int8.onnx"
PACKAGES = ("bpr", "onnx", "onnxruntime")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a model's name, or a .onnx file of bpr export")
    parser.add_argument("--results", required=True, help="COCO results JSON to cut patches from; not the ones to measure with")
    parser.add_argument("--ann", required=True, help="COCO annotation file that names its images")
    parser.add_argument("--img-dir", required=True, help="folder of the images")
    parser.add_argument("--out", required=True, help="ONNX file to write")
    parser.add_argument("--patches", type=at_least(1), default=256, metavar="N", help="patches to calibrate on (default: %(default)s)")
    parser.add_argument("--seed", type=at_least(0), default=0, metavar="N", help="of the draw of the patches (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    import_training()
    from bpr.backends import named_models
    from bpr.backends.onnx_runtime import OnnxPredictor
    from bpr.formats.coco import read_images, read_results
    from bpr.io.images import ImageFolder
    from bpr.training.data.calibration import draw_patches
    from bpr.training.quantization import CHECKED, quantize_onnx

    model = named_models().get(args.model, Path(args.model))
    predictor = OnnxPredictor(model)
    images = ImageFolder(args.img_dir, read_images(args.ann))
    patches = draw_patches(read_results(args.results), images, predictor.spec, predictor.recommended, args.patches + CHECKED, args.seed)
    made = quantize_onnx(model, patches, args.out, _provenance(model, args, len(patches) - CHECKED))
    print(f"{args.out}: {Path(args.out).stat().st_size / 2**20:.2f} MiB, {made.convolutions} of {made.of} convolutions in int8")
    print(f"calibrated on {len(patches) - CHECKED} patches; on {CHECKED} others {made.changed:.3%} of pixels change sides")
    return 0


def _provenance(model: Path, args: argparse.Namespace, patches: int) -> dict[str, Any]:
    """What the file was made of, and by what."""
    from bpr.io.files import sha256_of

    return {
        "model": model.name,
        "model_sha256": sha256_of(model),
        "results": Path(args.results).name,
        "results_sha256": sha256_of(args.results),
        "patches": patches,
        "seed": args.seed,
        "versions": versions_of(PACKAGES),
        "date": time.strftime("%Y-%m-%d"),
    }
