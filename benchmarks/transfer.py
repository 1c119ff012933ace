"""Train on the masks of one detector, refine those of another (supplement, table S1).

    OMP_NUM_THREADS=1 python benchmarks/transfer.py DATA --iterations 600 --amp \\
        --config configs/bpr_mobilenet-v2_1xb32-320_transfer-64x64.py

Three detectors: ``yolo``, the real one whose results lie in DATA/detections; ``mask_head`` and ``polygon``, made from
ground truth by ``bpr synthesize-masks``. Each trains one network on COCO train and DAVIS train, and all three refine the
masks of all three on DAVIS val and COCO val. Only the detections of the matched pairs are refined (score >= .05,
IoU >= .5 with an object of their class): no other counts in the table.

What is finished is skipped: kill it and start it again, or run ``--only polygon`` beside it on another core.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # benchmarks/ is part of the checkout, not of the package

from benchmarks.measuring import processor
from bpr.backends import load_predictor
from bpr.cli.main import main as bpr
from bpr.cli.options import versions_of
from bpr.errors import BPRError
from bpr.evaluation.inputs import check_annotations, check_detections
from bpr.evaluation.matched_pairs import Pair, compare, match_pairs, score_records
from bpr.formats.coco import Record, read_annotations, read_results
from bpr.io.files import atomic_open, read_json, write_json
from bpr.io.images import ImageFolder
from bpr.refinement.refiner import Refiner
from bpr.refinement.runner import refine_records

CONFIG = "configs/bpr_hrnet-w18s_2xb16-3500_starter-64x64.py"
BATCH = 32
WARM_UP = 0.05
CHECKPOINTS = 5
PACKAGES = ("torch", "mmengine", "mmsegmentation", "numpy")


@dataclass(frozen=True)
class ImageSet:
    """Images with ground truth, and what the real detector said of them; paths inside DATA."""

    annotations: str
    images: str
    yolo: str


TRAIN = {
    "coco_train": ImageSet("coco/annotations/instances_train2017.json", "coco/train2017", "detections/coco_train2017.segm.json"),
    "davis_train": ImageSet("davis/annotations/instances_train.json", "davis/train", "detections/davis_train.segm.json"),
}
VAL = {
    "davis_val": ImageSet("davis/annotations/instances_val.json", "davis/val", "detections/davis_val.segm.json"),
    "coco_val": ImageSet("coco/annotations/instances_val2017.json", "coco/val2017", "detections/coco_val2017.segm.json"),
}
DETECTORS = ("yolo", "mask_head", "polygon")
"""The second and third are ways of ``bpr synthesize-masks``."""


@dataclass(frozen=True)
class Study:
    """Every method returns its artefact and makes it only where it is not there yet."""

    data: Path
    work: Path
    config: str
    iterations: int
    amp: bool

    def masks(self, detector: str, name: str) -> Path:
        """What the detector says of an image set: a results file."""
        images = {**TRAIN, **VAL}[name]
        if detector == "yolo":
            return self.data / images.yolo
        out = self.work / "masks" / f"{detector}_{name}.segm.json"
        if not out.is_file():
            run("synthesize-masks", self.data / images.annotations, "--way", detector, "--out", out)
        return out

    def store(self, detector: str, name: str) -> Path:
        """The training patches of one detector on one image set."""
        out = self.work / "patches" / f"{detector}_{name}"
        if not (out / "manifest.json").is_file():
            files = ("--ann", self.data / TRAIN[name].annotations, "--img-dir", self.data / TRAIN[name].images)
            run("extract-patches", self.masks(detector, name), *files, "--config", self.config, "--out", out)
        return out

    def checkpoint(self, detector: str) -> Path:
        """The network trained on one detector's masks."""
        folder = self.work / "train" / detector
        out = folder / f"iter_{self.iterations}.pth"
        if not out.is_file():
            stores = [str(self.store(detector, name)) for name in TRAIN]
            amp = ["--amp"] if self.amp else []
            run("train", self.config, "--work-dir", folder, "--resume", *amp, "--cfg-options", *self.options(stores))
        return out

    def options(self, stores: Sequence[str]) -> list[str]:
        """The config's recipe at this length: warm-up, then a cosine to the end."""
        warm = max(1, round(WARM_UP * self.iterations))
        return [
            f"train_dataloader.dataset.stores=[{','.join(stores)}]",
            f"train_dataloader.batch_size={BATCH}",
            f"train_cfg.max_iters={self.iterations}",
            f"param_scheduler.0.end={warm}",
            f"param_scheduler.1.begin={warm}",
            f"param_scheduler.1.end={self.iterations}",
            f"default_hooks.checkpoint.interval={max(1, self.iterations // CHECKPOINTS)}",
        ]

    def cells(self, trained: str) -> list[dict[str, Any]]:
        """One row of the matrix: the network of one detector on the masks of every detector."""
        checkpoint = self.checkpoint(trained)
        return [self.cell(trained, refined, name, checkpoint) for name in VAL for refined in DETECTORS]

    def cell(self, trained: str, refined: str, name: str, checkpoint: Path) -> dict[str, Any]:
        """Before and after at the matched pairs of one image set."""
        out = self.work / "cells" / f"{trained}_refines_{refined}_{name}.json"
        if not out.is_file():
            measured = measure(checkpoint, self.masks(refined, name), self.data / VAL[name].annotations, self.data / VAL[name].images)
            write_json(out, {"trained_on": trained, "refined": refined, "images": name, **measured})
            print(f"{out}: F@2px {100 * measured['comparison']['changes']['boundary_f']['mean']:+.2f}", flush=True)
        return read_json(out, "a cell of transfer.py")

    def claim(self) -> None:
        """Raise a BPRError when the work folder holds another study: its items must not mix with these."""
        settings = {"config": Path(self.config).name, "iterations": self.iterations, "amp": self.amp}
        path = self.work / "settings.json"
        if not path.is_file():
            write_json(path, settings)
        found = read_json(path, "the settings of transfer.py")
        if found != settings:
            raise BPRError(f"{self.work}: expected a study of {settings}, got one of {found}; choose another --work or remove it")


def run(*words: object) -> None:
    """A command of ``bpr``, in this process."""
    if bpr([str(word) for word in words]):
        raise BPRError(f"bpr {words[0]} failed; what is finished will be skipped when this is started again")


@lru_cache(maxsize=1)
def refiner(checkpoint: Path) -> Refiner:
    """Loaded once for its row of cells."""
    return Refiner(load_predictor(checkpoint))


def measure(checkpoint: Path, masks: Path, annotations: Path, images: Path) -> dict[str, Any]:
    """Refine the detections of the matched pairs and score them."""
    document = read_annotations(annotations)
    check_annotations(document, str(annotations))
    records, pairs = paired(check_detections(read_results(masks), document, str(masks)).records, document)
    if not pairs:
        raise BPRError(f"{masks}: expected detections that match {annotations} (same class, IoU >= .5), got none")
    refined, report = refine_records(records, ImageFolder(images, document["images"]), refiner(checkpoint), workers=1)
    before, after = (score_records(side, pairs) for side in (records, refined))
    return {
        "pairs": len(pairs),
        "patches": report.patches,
        "before": before.means(),
        "comparison": asdict(compare(before, after, pairs)),
    }


def paired(records: Sequence[Record], document: dict[str, Any]) -> tuple[list[Record], list[Pair]]:
    """The records of the matched pairs alone, and the pairs over them."""
    pairs = match_pairs(records, document)
    places = {index: place for place, index in enumerate(sorted({pair.record for pair in pairs}))}
    return [records[index] for index in places], [replace(pair, record=places[pair.record]) for pair in pairs]


def markdown(cells: Sequence[dict[str, Any]], settings: dict[str, Any]) -> str:
    """A matrix for every image set."""
    length = f"{settings['iterations']} iterations of {settings['batch']} patches, {settings['config']}"
    note = f"Trained on COCO train and DAVIS train, {length}. Change of F@2px [95 % interval] / of IoU in points; masks harmed."
    return "\n\n".join([note, *(matrix([cell for cell in cells if cell["images"] == name], name) for name in VAL)]) + "\n"


def matrix(cells: Sequence[dict[str, Any]], name: str) -> str:
    """Rows: whose masks the network learned from; columns: whose masks it refines."""
    first = {cell["refined"]: cell for cell in reversed(cells)}
    pairs = ", ".join(f"{detector} {first[detector]['pairs']}" for detector in DETECTORS)
    before = [f"{100 * first[detector]['before'][key]:.1f}" for detector in DETECTORS for key in ("boundary_f", "iou")]
    rows = [
        ["trained on", *(f"refines {detector}" for detector in DETECTORS)],
        ["---"] * (1 + len(DETECTORS)),
        ["before: F@2px / IoU", *(f"{f} / {iou}" for f, iou in zip(before[::2], before[1::2], strict=True))],
    ]
    rows += [[trained, *(text(cell) for cell in cells if cell["trained_on"] == trained)] for trained in DETECTORS]
    return f"**{name}**, matched pairs: {pairs}\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows)


def text(cell: dict[str, Any]) -> str:
    changes, shares = cell["comparison"]["changes"], cell["comparison"]["shares"]
    f, iou = changes["boundary_f"], changes["iou"]
    interval = f"[{100 * f['low']:+.1f}, {100 * f['high']:+.1f}]"
    return f"{100 * f['mean']:+.1f} {interval} / {100 * iou['mean']:+.2f}; {100 * shares['harmed']:.0f} %"


def write(study: Study, cells: Sequence[dict[str, Any]], out: Path) -> None:
    """The numbers, and the table beside them (.md)."""
    settings = {"config": Path(study.config).name, "iterations": study.iterations, "batch": BATCH, "amp": study.amp}
    words = ["--config", study.config, "--iterations", str(study.iterations)]
    source = {
        "machine": {"processor": processor(), "cores": os.cpu_count(), "threads": torch.get_num_threads()},
        "versions": versions_of(PACKAGES),
        "date": time.strftime("%Y-%m-%d"),
        "command": " ".join(["python benchmarks/transfer.py DATA", *words, *(["--amp"] if study.amp else [])]),
    }
    table = markdown(cells, settings)
    write_json(out, {"cells": cells, "settings": settings, **source}, indent=1)
    with atomic_open(out.with_suffix(".md")) as file:
        file.write(table)
    print(table, end="")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with coco/, davis/ and detections/")
    parser.add_argument("--iterations", type=int, default=2500, help=f"of {BATCH} patches, each training (default: %(default)s)")
    parser.add_argument("--config", default=CONFIG, help="what is trained (default: %(default)s)")
    parser.add_argument("--amp", action="store_true", help="train in bfloat16")
    parser.add_argument("--only", choices=DETECTORS, help="one training and its cells, without the table")
    parser.add_argument("--work", type=Path, default=Path("runs/transfer"), help="masks, patches, networks, cells (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("docs/results/transfer.json"), help="numbers (default: %(default)s)")
    args = parser.parse_args(argv)
    study = Study(args.data, args.work, args.config, args.iterations, args.amp)
    try:
        study.claim()
        cells = [cell for detector in ([args.only] if args.only else DETECTORS) for cell in study.cells(detector)]
        if not args.only:
            write(study, cells, args.out)
    except BPRError as error:
        print(f"transfer: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
