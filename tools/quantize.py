"""Make an int8 file of an exported model; the ranges of its activations are measured on patches of your detections.

    python tools/quantize.py starter --results train.segm.json --ann train.json --img-dir images --out starter.int8.onnx
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bpr.cli.main import Parser, run_script
from bpr.cli.options import at_least, import_training, versions_of
from bpr.cli.paths import InputName, InputPath, OutputPath

PACKAGES = ("bpr", "onnx", "onnxruntime")


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=InputName, help="a model's name, or a .onnx file of bpr export")
    results = "COCO results JSON to cut patches from; not the one that the model is measured on"
    parser.add_argument("--results", type=InputPath, required=True, help=results)
    parser.add_argument("--ann", type=InputPath, required=True, help="COCO annotation file that lists its images")
    parser.add_argument("--img-dir", type=InputPath, required=True, help="folder of the images")
    parser.add_argument("--out", type=OutputPath, required=True, help="ONNX file to write")
    patches = "patches to calibrate on (default: %(default)s)"
    parser.add_argument("--patches", type=at_least(1), default=256, metavar="N", help=patches)
    seed = "seed of the draw of the patches (default: %(default)s)"
    parser.add_argument("--seed", type=at_least(0), default=0, metavar="N", help=seed)
    return run_script(parser, run, argv)


def run(args: argparse.Namespace) -> None:
    import_training()
    from bpr.backends import named_models
    from bpr.backends.onnx_runtime import OnnxPredictor
    from bpr.formats.coco import read_heading, read_results
    from bpr.io.files import sha256_of
    from bpr.io.image_finder import ImageFolder
    from bpr.training.export.quantization import HELD_OUT, draw_patches, quantize_onnx

    model = named_models().get(args.model, Path(args.model))
    predictor = OnnxPredictor(model)
    images = ImageFolder(args.img_dir, read_heading(args.ann)["images"])
    options = predictor.spec, predictor.recommended
    patches = draw_patches(read_results(args.results), images, *options, args.patches + HELD_OUT, args.seed)
    count = len(patches) - HELD_OUT
    calibration = {
        "model": model.name,
        "model_sha256": sha256_of(model),
        "results": Path(args.results).name,
        "results_sha256": sha256_of(args.results),
        "patches": count,
        "seed": args.seed,
        "versions": versions_of(PACKAGES),
        "date": time.strftime("%Y-%m-%d"),
    }
    in_int8, changed = quantize_onnx(model, patches, args.out, calibration)
    size = Path(args.out).stat().st_size / 2**20
    print(f"{args.out}: {size:.2f} MiB, {in_int8} convolutions in int8")
    print(f"calibrated on {count} patches; on {HELD_OUT} others {changed:.3%} of pixels change sides")


if __name__ == "__main__":
    sys.exit(main())
