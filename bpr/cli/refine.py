"""``bpr refine``: a results file in, the same records with better boundaries out."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpr.cli.numbers import at_least, finite
from bpr.cli.options import BACKENDS, FORMATS, PRESETS, add_refine_options, add_workers, print_problems, progress_bar, refine_options
from bpr.cli.sharing import Unfinished, add_sharing, go_on_command, is_resumed, kept_on_failure, worker_of
from bpr.errors import BadImage, BPRError, shown

if TYPE_CHECKING:
    import numpy as np

    from bpr.formats.coco import Record
    from bpr.formats.source import Source
    from bpr.refinement.clock import StageClock
    from bpr.refinement.outcome import RunReport
    from bpr.refinement.plan import Plan
    from bpr.refinement.predictor import OraclePredictor, Predictor
    from bpr.refinement.refiner import Refiner
    from bpr.refinement.sharing.journal import Finished
    from bpr.refinement.sharing.run_folder import RunFolder
    from bpr.refinement.sharing.shared_run import SharedRun

GUESSED = ("masks", "semantic")
"""Formats that a PNG does not say: its numbers do."""
HELP = "refine masks: COCO, LVIS, panoptic, Cityscapes, label PNGs, YOLO"
EXAMPLE = "bpr refine results.segm.json --img-dir images --ann instances.json --model starter --out refined.segm.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", help="masks: a JSON file, a PNG or a folder of any format")
    parser.add_argument("--format", choices=FORMATS, help="format of the masks (default: what their content says)")
    parser.add_argument("--img-dir", help="folder of the images, or the one image (default: what the format names)")
    parser.add_argument("--ann", help="COCO file whose images list names the files; without it the id is the file's stem")
    parser.add_argument("--preset", choices=PRESETS, help="a bundle of model, precision and --keep, in the place of --model and --backend")
    parser.add_argument("--model", help="model name, .onnx or .pth file, identity, or oracle (default: starter)")
    parser.add_argument("--config", help="config of a .pth model (default: the one beside it)")
    parser.add_argument("--backend", choices=BACKENDS, default="auto", help="what runs the network (default: one that is exact)")
    parser.add_argument("--out", required=True, help="file or folder to write, in the format of the masks")
    add_refine_options(parser)
    parser.add_argument("--reach", type=at_least(0), metavar="PX", help="oracle only: correct pixels this near to the coarse boundary")
    parser.add_argument("--min-score", type=finite, metavar="S", help="leave records of a lower score as they are (default: refine all)")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a record could not be refined")
    add_workers(parser)
    add_sharing(parser)


def run(args: argparse.Namespace) -> int:
    from bpr.refinement.sharing.stopping import Stop

    shared, source = _shared_run(args)
    with shared.folder.joined(shared.worker, _about(args, shared), is_resumed(args)):
        done = shared.done_before()
        try:
            with Stop() as shared.stopped, kept_on_failure():
                return _refine(args, shared, source, done)
        except Unfinished as error:
            print(f"bpr refine: {args.out}: {error}; what is finished is kept; go on with: {go_on_command(args)}", file=sys.stderr)
            return 1


def _shared_run(args: argparse.Namespace) -> tuple[SharedRun, Source]:
    """Everything read, checked and loaded, and nothing done."""
    from bpr.formats.recognise import open_source
    from bpr.io.images import OneImage
    from bpr.refinement.plan import plan_images
    from bpr.refinement.sharing.run_folder import RunFolder
    from bpr.refinement.sharing.shared_run import SharedRun

    worker = worker_of(args)  # before anything takes the cores or the GPU of another rank
    document = _annotations(args)
    source, find_images = open_source(args.results, args.format, args.img_dir, document["images"] if document else None)
    check_output(source, Path(args.out))
    plan, images = plan_images(source.records, args.min_score), find_images()
    if isinstance(images, OneImage) and len(plan) > 1:
        raise BPRError(f"--img-dir {args.img_dir}: expected the folder of {len(plan)} images, which the results name, got one image")
    refiner = _refiner(args, source.records, document)
    folder = RunFolder(Path(args.out))
    return SharedRun(folder, worker, source.records, plan, images, refiner, args.workers, source.exclusive), source


def _annotations(args: argparse.Namespace) -> dict[str, Any] | None:
    """What ``--ann`` holds; the annotations themselves, gigabytes in large data sets, only where they are asked for."""
    from bpr.formats.coco import read_annotations, read_images

    if not args.ann:
        return None
    return read_annotations(args.ann) if args.model == "oracle" else {"images": read_images(args.ann)}


def _refine(args: argparse.Namespace, shared: SharedRun, source: Source, done: np.ndarray) -> int:
    """Refine, and write the result where it is this worker's to write."""
    if shared.worker.leads:
        print_problems(list(_assumed(args, shared, source)))
    with progress_bar("refining", len(shared.plan.indices)) if not shared.follows else nullcontext(lambda done: None) as advance:
        shared.on_progress = advance
        finished = shared.work(done)
    if shared.follows:
        return int(shared.stopped())
    report = finished.report(shared.plan, shared.clock)
    if shared.stopped():
        raise Unfinished(f"interrupted; {report.images} of {len(shared.plan)} images are done")
    if shared.worker.leads:
        write_result(shared.folder, shared.plan, finished, source, shared.clock)
    print_report(report, args.out, _ran_on(shared.refiner.predictor))
    if not shared.worker.leads:  # whoever merges sees the whole
        print(f"shard {shared.worker.number}/{shared.worker.count} is finished; once all are: bpr merge {shlex.quote(args.out)}")
        return 0
    return exit_code(report, args.strict)


def exit_code(report: RunReport, strict: bool) -> int:
    """1 where no record could be refined, or with ``--strict`` where one could not."""
    return int(report.failed or (strict and bool(report.kept)))


def _assumed(args: argparse.Namespace, shared: SharedRun, source: Source) -> Iterator[str]:
    """What nobody said, and what would refine the wrong thing without an error where it is not meant."""
    from bpr.io.images import ImageFolder

    if source.format in GUESSED and not args.format:
        yield f"format: {source.format}, by the numbers in the PNGs; --format says which"
    if source.format == "coco" and not args.ann and len(shared.plan) and isinstance(shared.images, ImageFolder):
        image_id = source.records[shared.plan[0][0]]["image_id"]
        with suppress(BadImage):  # the report will say so
            yield f"images: by their ids, {shown(image_id)} is {shared.images.path(image_id).name}; --ann says what the ids name"


def check_output(source: Source, out: Path) -> None:
    """Raise a BPRError where ``source`` could not write to ``out``."""
    from bpr.io.files import check_writable
    from bpr.io.folders import check_replaceable

    if folder := source.folder(out):
        check_replaceable(folder)
    else:
        check_writable(out)


def write_result(folder: RunFolder, plan: Plan, finished: Finished, source: Source, clock: StageClock) -> None:
    """Write what all journals hold to the output; then they are not needed any more."""
    from bpr.refinement.sharing.shared_run import check_complete

    check_complete(folder, plan, finished)
    with clock.stage("write"):
        source.write(finished.merged(source.records), folder.out)
    folder.remove()


def _about(args: argparse.Namespace, shared: SharedRun) -> dict[str, Any]:
    """What decides the result, which all workers must agree on, and what ``bpr merge`` needs to write it."""
    if shared.follows:
        return {}
    import bpr
    from bpr.geometry.options import to_dict

    predictor = shared.refiner.predictor
    options = ("model", "preset", "min_score", "reach", "format", "img_dir")
    chosen = to_dict(predictor.spec, shared.refiner.options)
    model = {"backend": getattr(predictor, "backend", None), "options": chosen, "weights": _weights(args)}
    fingerprint = {"version": bpr.__version__, **inputs(args.results, args.ann), **model, **{name: getattr(args, name) for name in options}}
    paths = {name: getattr(args, name) and str(Path(getattr(args, name)).absolute()) for name in ("results", "ann", "img_dir")}
    return {"fingerprint": fingerprint, "arguments": {**paths, "format": args.format, "min_score": args.min_score, "strict": args.strict}}


def inputs(results: str, ann: str | None) -> dict[str, str | None]:
    """Digests of what is refined."""
    from bpr.refinement.sharing.fingerprint import digest

    return {"results": digest(results), "annotations": digest(ann) if ann else None}


def _weights(args: argparse.Namespace) -> list[str]:
    """Digests of the model's file and of the config that was given for it; what comes with this version has neither."""
    from bpr.refinement.sharing.fingerprint import digest

    return [digest(path) for path in (args.model, args.config) if path and Path(path).is_file()]


def print_report(report: RunReport, out: str, ran_on: str = "") -> None:
    """Where the time went, what could not be refined, and last how many records were."""
    print(_summary(report) + ran_on)
    print_problems(report.problems)
    kept = ", ".join(f"{count} {reason}" for reason, count in sorted(report.kept.items())) or "none"
    skipped = f"; {report.skipped} below --min-score" if report.skipped else ""
    print(f"{report.refined} of {report.records} records refined{skipped}; kept as they were: {kept} -> {out}")


def _refiner(args: argparse.Namespace, records: Sequence[Record], document: dict[str, Any] | None) -> Refiner:
    from bpr.backends import changed_options, load_refiner
    from bpr.refinement.refiner import Refiner

    if args.model != "oracle" or args.preset:
        return load_refiner(args.model, args.config, args.backend, args.preset, **refine_options(args))
    predictor = _oracle(args, records, document)
    return Refiner(predictor, changed_options(predictor.recommended, refine_options(args)))


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
