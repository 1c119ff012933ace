"""Grid, instance and dense patches on the same detections with the same model (supplement, section B).

    python benchmarks/schemes.py results.segm.json --ann instances.json --img-dir images --model starter --out docs/results/schemes.json

A scheme needs no retraining to run: every row uses the model that the table names, which was trained on dense patches.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime

sys.path.insert(0, str(Path(__file__).parents[1]))  # benchmarks/ is part of the checkout, not of the package

from benchmarks.measuring import processor
from bpr.backends import load_predictor, named_models
from bpr.cli.options import add_workers
from bpr.errors import BPRError
from bpr.evaluation.inputs import Detections, check_annotations, check_detections
from bpr.evaluation.matched_pairs import Comparison, Pair, compare, match_pairs, score_records
from bpr.formats.coco import read_annotations, read_results
from bpr.geometry.scheme import Kind
from bpr.io.files import atomic_open, sha256_of, write_json
from bpr.io.images import ImageFolder
from bpr.refinement.refiner import Refiner
from bpr.refinement.runner import refine_records

ORDER: tuple[Kind, ...] = ("grid", "instance", "dense")
HEADER = ("scheme", "patches per image", "F@2px change", "IoU change", "improved", "harmed", "seconds per image", "of which network")


@dataclass(frozen=True)
class Row:
    """One scheme; seconds are wall time per image, reading and writing of masks included."""

    scheme: str
    patches_per_image: float
    seconds_per_image: float
    network_seconds_per_image: float
    comparison: Comparison

    def cells(self) -> list[str]:
        """Changes in points with their 95 % interval, shares in percent."""
        f, iou = (self.comparison.changes[name] for name in ("boundary_f", "iou"))
        changes = [f"{100 * change.mean:+.2f} [{100 * change.low:+.2f}, {100 * change.high:+.2f}]" for change in (f, iou)]
        parts = [f"{100 * share:.0f} %" for share in (self.comparison.shares.improved, self.comparison.shares.harmed)]
        seconds = [f"{self.seconds_per_image:.2f}", f"{self.network_seconds_per_image:.2f}"]
        return [self.scheme, f"{self.patches_per_image:.0f}", *changes, *parts, *seconds]


@dataclass(frozen=True)
class Task:
    """The coarse detections of some images, and their matched pairs."""

    document: dict[str, Any]
    coarse: Detections
    pairs: list[Pair]
    images: ImageFolder

    def measure(self, kind: Kind, model: str, workers: int) -> Row:
        """Refine with one scheme and score at the pairs."""
        refiner = Refiner(load_predictor(model, kind=kind))
        refined, report = refine_records(self.coarse.records, self.images, refiner, workers)
        wall, network = report.clock.wall, report.clock.seconds.get("forward", 0.0)
        scores = [score_records(records, self.pairs) for records in (self.coarse.records, refined)]
        per_image = [value / max(report.images, 1) for value in (report.patches, wall, network)]
        return Row(kind, *per_image, compare(*scores, self.pairs))


def read_task(args: argparse.Namespace) -> Task:
    """The first ``--limit`` images with their annotations and detections."""
    document = read_annotations(args.ann)
    images = document["images"][: args.limit]
    ids = {image["id"] for image in images}
    document = {**document, "images": images, "annotations": [a for a in document["annotations"] if a["image_id"] in ids]}
    document = check_annotations(document, args.ann)
    records = [record for record in read_results(args.results) if record["image_id"] in ids]
    coarse = check_detections(records, document, args.results)
    pairs = match_pairs(coarse.records, document)
    if not pairs:
        raise BPRError(f"{args.results}: expected detections that match the annotations (same class, IoU >= .5), got none")
    return Task(document, coarse, pairs, ImageFolder(args.img_dir, images))


def provenance(args: argparse.Namespace, task: Task) -> dict[str, Any]:
    """What made the numbers."""
    model = named_models().get(args.model, Path(args.model))
    return {
        "model": {"file": model.name, "sha256": sha256_of(model)[:16]},
        "scheme": load_predictor(args.model).scheme.to_dict(),
        "files": {"results": Path(args.results).name, "annotations": Path(args.ann).name},
        "images": len({pair.image_id for pair in task.pairs}),
        "pairs": len(task.pairs),
        "before": score_records(task.coarse.records, task.pairs).means(),
        "machine": {"processor": processor(), "cores": os.cpu_count(), "workers": args.workers},
        "versions": {"numpy": np.__version__, "opencv": cv2.__version__, "onnxruntime": onnxruntime.__version__},
        "date": time.strftime("%Y-%m-%d"),
        "command": f"python benchmarks/schemes.py {Path(args.results).name} --model {args.model}"
        + (f" --limit {args.limit}" if args.limit else ""),
    }


def markdown(rows: Sequence[Row], source: dict[str, Any]) -> str:
    """The table, changes in points."""
    lines = [HEADER, ["---"] * len(HEADER), *(row.cells() for row in rows)]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    before = source["before"]
    note = (
        f"Every row uses {source['model']['file']} (sha256 {source['model']['sha256']}), trained on dense patches. "
        f"{source['files']['results']}: {source['pairs']} matched pairs in {source['images']} images; "
        f"before: F@2px {100 * before['boundary_f']:.2f}, IoU {100 * before['iou']:.2f}. "
        f"Changes in points [95 % interval]; seconds on {source['machine']['cores']} cores."
    )
    return f"{note}\n\n{table}\n"


def run(args: argparse.Namespace) -> None:
    task = read_task(args)
    rows = [task.measure(kind, args.model, args.workers) for kind in ORDER]
    source = provenance(args, task)
    table = markdown(rows, source)
    print(table, end="")
    if args.out:
        write_json(args.out, {"rows": [asdict(row) for row in rows], **source}, indent=1)
        with atomic_open(Path(args.out).with_suffix(".md")) as file:
            file.write(table)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", help="COCO results JSON of a detector")
    parser.add_argument("--ann", required=True, help="COCO annotation file with the ground truth")
    parser.add_argument("--img-dir", required=True, help="folder of the images")
    parser.add_argument("--model", default="starter", help="model name or .onnx file (default: %(default)s)")
    parser.add_argument("--limit", type=int, help="use only the first N images")
    parser.add_argument("--out", metavar="JSON", help="write the numbers there and the table beside it (.md)")
    add_workers(parser)
    args = parser.parse_args(argv)
    try:
        run(args)
    except BPRError as error:
        print(f"schemes: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
