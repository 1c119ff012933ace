"""``bpr refine``: a results file in, the same records with better boundaries out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpr.cli.options import BACKENDS, FORMATS, PRESETS, add_model_scheme, add_workers, progress_bar, scheme_options
from bpr.errors import BPRError

if TYPE_CHECKING:
    from bpr.formats.coco import Record
    from bpr.refinement.outcome import RunReport
    from bpr.refinement.predictor import OraclePredictor, Predictor

HELP = "refine masks: COCO, LVIS, panoptic, Cityscapes, label PNGs, YOLO"
EXAMPLE = "tools/refine.py results.segm.json --img-dir images --ann instances.json --model starter --out refined.segm.json"
MOST_PROBLEMS_SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", help="masks: a JSON file, a PNG or a folder of any format")
    parser.add_argument("--format", choices=FORMATS, help="format of the masks (default: what their content says)")
    parser.add_argument("--img-dir", help="folder of the images, or the one image (default: what the format names)")
    parser.add_argument("--ann", help="COCO file whose images list names the files; without it the id is the file's stem")
    parser.add_argument("--preset", choices=PRESETS, help="a bundle of model, precision and --keep, in the place of --model and --backend")
    parser.add_argument("--model", help="model name, .onnx or .pth file, identity, or oracle (default: starter)")
    parser.add_argument("--config", help="config of a .pth model (default: the one beside it)")
    parser.add_argument("--backend", choices=BACKENDS, default="auto", help="what runs the network (default: the fastest that is exact)")
    parser.add_argument("--out", required=True, help="file or folder to write, in the format of the masks")
    add_model_scheme(parser)
    parser.add_argument("--reach", type=int, metavar="PX", help="oracle only: correct pixels this near to the coarse boundary")
    parser.add_argument("--min-score", type=float, metavar="S", help="leave records of a lower score as they are (default: refine all)")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a record could not be refined")
    add_workers(parser)


def run(args: argparse.Namespace) -> int:
    from bpr.formats.files import check_replaceable, check_writable
    from bpr.formats.recognise import open_source
    from bpr.refinement.refiner import Refiner
    from bpr.refinement.runner import refine_records

    document = _annotations(args)
    source, find_images = open_source(args.results, args.format, args.img_dir, document["images"] if document else None)
    if folder := source.folder(Path(args.out)):
        check_replaceable(folder)
    else:
        check_writable(args.out)
    records, images = source.records, find_images()
    refiner = Refiner(_predictor(args, records, document))
    with progress_bar("refining", len(records)) as advance:
        refined, report = refine_records(records, images, refiner, args.workers, advance, source.exclusive, args.min_score)
    with report.clock.stage("write"):
        source.write(refined, Path(args.out))
    _print(report, args.out, _ran_on(refiner.predictor))
    return 1 if args.strict and report.kept else 0


def _annotations(args: argparse.Namespace) -> dict[str, Any] | None:
    """What ``--ann`` holds; the annotations themselves, gigabytes in large data sets, only where they are asked for."""
    from bpr.formats.coco import read_annotations, read_images

    if not args.ann:
        return None
    return read_annotations(args.ann) if args.model == "oracle" else {"images": read_images(args.ann)}


def _print(report: RunReport, out: str, ran_on: str) -> None:
    """Where the time went, what could not be refined, and last how many records were."""
    print(_summary(report) + ran_on)
    for problem in report.problems[:MOST_PROBLEMS_SHOWN]:
        print(problem, file=sys.stderr)
    if len(report.problems) > MOST_PROBLEMS_SHOWN:
        print(f"... and {len(report.problems) - MOST_PROBLEMS_SHOWN} more", file=sys.stderr)
    kept = ", ".join(f"{count} {reason}" for reason, count in sorted(report.kept.items())) or "none"
    skipped = f"; {report.skipped} below --min-score" if report.skipped else ""
    print(f"{report.refined} of {report.records} records refined{skipped}; kept as they were: {kept} -> {out}")


def _predictor(args: argparse.Namespace, records: Sequence[Record], document: dict[str, Any] | None) -> Predictor:
    if args.preset:
        return _preset(args)
    if args.model != "oracle":
        from bpr.backends import load_predictor

        return load_predictor(args.model or "starter", args.config, args.backend, **scheme_options(args))
    predictor = _oracle(args, records, document)
    try:
        predictor.scheme = predictor.scheme.changed(**scheme_options(args))
    except ValueError as error:
        raise BPRError(str(error)) from error
    return predictor


def _preset(args: argparse.Namespace) -> Predictor:
    from bpr.backends.presets import load_preset

    if args.model or args.config or args.backend != "auto":
        raise BPRError("--preset: expected no --model, --config or --backend beside it; it names its own")
    return load_preset(args.preset, **scheme_options(args))


def _ran_on(predictor: Predictor) -> str:
    """Which backend the network ran on; identity and oracle have no network."""
    backend = getattr(predictor, "backend", None)
    return f", on {backend}" if backend else ""


def _oracle(args: argparse.Namespace, records: Sequence[Record], document: dict[str, Any] | None) -> OraclePredictor:
    from bpr.formats.ground_truth import GroundTruth
    from bpr.refinement.predictor import OraclePredictor

    if not document or not document["annotations"]:
        raise BPRError("--model oracle: expected the ground truth in --ann, got none")
    matches = GroundTruth(document).matches(records)
    return OraclePredictor({index: truth for index, (truth, _) in enumerate(matches) if truth is not None}, args.reach)


def _summary(report: RunReport) -> str:
    """One line: how much was done, and where the time went (stages overlap, so they need not add up)."""
    stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in report.clock.seconds.items())
    wall = report.clock.wall
    network = report.clock.seconds.get("forward", 0.0) / wall
    of_all = f" of {report.patches + report.left_out}" if report.left_out else ""
    return f"{report.images} images, {report.patches}{of_all} patches in {wall:.1f} s ({stages}); network {network:.0%} of the wall time"
