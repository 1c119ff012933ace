"""``bpr refine``: a results file in, the same records with better boundaries out."""

from __future__ import annotations

import argparse
import shlex
import sys
from contextlib import nullcontext

from bpr.backends.presets import PRESETS
from bpr.backends.registry import names
from bpr.cli.options import (
    add_polygons,
    add_refine_options,
    add_workers,
    finite,
    print_problems,
    progress_bar,
    refine_options,
)
from bpr.cli.paths import InputName, InputPath, OutputPath
from bpr.cli.sharing import add_sharing, is_resumed, print_report, resume_command, worker_of
from bpr.formats.registry import FORMATS
from bpr.refinement.choice import CROWD_CHOICES

EXAMPLE = "bpr refine results.segm.json --img-dir images --ann instances.json --model starter --out refined.segm.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("results", type=InputPath, help="masks: a JSON or XML file, a PNG or a folder of any format")
    add("--format", choices=FORMATS, help="format of the masks (default: recognised by their content)")
    images = "folder of the images, or the one image (default: the images that the format names)"
    add("--img-dir", type=InputPath, help=images)
    ann = "COCO file whose images list names the files; without it, an id is the stem of a file"
    add("--ann", type=InputPath, help=ann)
    add("--preset", choices=PRESETS, help="a bundle of model, precision and --keep, instead of --model and --backend")
    add("--model", type=InputName, help="model name, .onnx or .pth file, identity, or oracle (default: starter)")
    add("--config", type=InputName, help="config of a .pth model (default: the one in its folder)")
    add("--backend", choices=names(), default="auto", help="software that runs the network (default: an exact one)")
    add("--out", type=OutputPath, required=True, help="file or folder to write, in the format of the masks")
    add_polygons(parser)
    add_refine_options(parser)
    add("--min-score", type=finite, metavar="S", help="keep records with a lower score unchanged (default: refine all)")
    only = "refine only these classes, given by name or id; records of others stay unchanged"
    add("--only", nargs="+", default=[], metavar="CLASS", help=only)
    ids = "refine only the records whose ids (or positions, where they have none) this file lists, one on a line"
    add("--ids", type=InputPath, metavar="FILE", help=ids)
    crowds = "crowds of an annotation file: keep them, or refine them as single objects (default: %(default)s)"
    add("--crowds", choices=CROWD_CHOICES, default="keep", help=crowds)
    add("--strict", action="store_true", help="exit with 1 when a record could not be refined")
    add_workers(parser)
    add_sharing(parser)


def run(args: argparse.Namespace) -> int:
    from bpr.job import RefineJob, Unfinished
    from bpr.refinement.sharing.stopping import Stop

    worker = worker_of(args)
    job = RefineJob(
        args.results,
        args.out,
        images=args.img_dir,
        ann=args.ann,
        format=args.format,
        model=args.model,
        config=args.config,
        backend=args.backend,
        preset=args.preset,
        options=refine_options(args),
        min_score=args.min_score,
        only=args.only,
        ids=args.ids,
        crowds=args.crowds,
        polygons=args.polygons,
        strict=args.strict,
        workers=args.workers,
    )
    is_follower = worker.role == "follower"
    with job.begin(worker, resume=is_resumed(args)) as begun, Stop() as stopped:
        if worker.role == "leader":
            print_problems(begun.assumptions)
        bar = nullcontext(lambda done: None) if is_follower else progress_bar("refining", begun.records)
        try:
            with bar as on_progress:
                report = begun.finish(on_progress, stopped)
        except Unfinished as error:
            kept = f"{args.out}: {error.why}; finished images are kept"
            print(f"bpr refine: {kept}; continue with: {resume_command(args)}", file=sys.stderr)
            return 1
        if is_follower:
            return int(stopped())
        print_report(report, args.out)
        if worker.role == "shard":  # its records are judged by the merge, which sees all of them
            shard, merge = f"shard {worker.number}/{worker.count}", f"bpr merge {shlex.quote(args.out)}"
            print(f"{shard} is finished; once all are: {merge}")
            return 0
        return int(report.failed)
