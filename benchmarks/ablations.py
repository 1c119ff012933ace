"""Train short versions of the recipe, each with one thing changed, and measure all on both validation splits.

    python benchmarks/ablations.py DATA [--only NAME ...]

DATA holds coco/, davis/ and detections/; benchmarks/hold_out.py must have run. Finished trainings and finished
measurements are kept (work_dirs/ablations, docs/results/ablations), so the script goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bpr.backends import load_predictor
from bpr.evaluation.average_precision import average_precision
from bpr.evaluation.inputs import check_detections
from bpr.evaluation.matched_pairs import LEAST_SCORE, METRICS, compare, match_pairs, score_records
from bpr.formats.coco import read_annotations, read_results
from bpr.formats.files import atomic_open, write_json
from bpr.formats.images import ImageFolder
from bpr.refinement.refiner import Refiner
from bpr.refinement.runner import refine_records

RECIPE = "configs/bpr_hrnet-w18s_1xb32-320_starter-64x64.py"
SGD = [f"optim_wrapper.optimizer.{value}" for value in ("_delete_=True", "type=SGD", "lr=0.01", "momentum=0.9", "weight_decay=0.0005")]
ITERATIONS = 320  # of the recipe
RESULTS = Path("docs/results/ablations")
SETS = {
    "davis_val": ("davis/val", "davis/annotations/instances_val.json", "detections/davis_val.segm.json"),
    "coco_val2017": ("coco/val2017", "coco/annotations/instances_val2017.json", "detections/coco_val2017.segm.json"),
}


def inputs(*names: str) -> list[str]:
    """Overrides that change what the network sees."""
    quoted = "[" + ",".join(f"'{name}'" for name in names) + "]"
    places = ("refinement.scheme", "train_dataloader.dataset.scheme", "model.data_preprocessor")
    return [f"{place}.inputs={quoted}" for place in places]


@dataclass(frozen=True)
class Row:
    """One training: what it changes of the recipe, in words and as overrides."""

    name: str
    change: str
    options: list[str] = field(default_factory=list)
    config: str = RECIPE
    precision: bool = False  # AP too, for which every detection has to be refined and not only those of the pairs


ROWS = (
    Row("recipe", "the recipe", precision=True),
    Row("image_only", "the image alone", inputs("rgb"), precision=True),
    Row("no_evidence", "without the colour evidence (the paper's four channels)", inputs("rgb", "mask")),
    Row("real_only", "real coarse masks only", ["train_dataloader.dataset.real=1.0"]),
    Row("synthetic_only", "synthetic coarse masks only: no detector", ["train_dataloader.dataset.real=0.0"]),
    Row("none_refined", "no coarse masks drawn towards the truth", ["train_dataloader.dataset.refined=0.0"]),
    Row("no_scale_jitter", "without scale jitter", ["train_dataloader.dataset.scale=[1.0,1.0]"]),
    Row("unbalanced", "instances drawn evenly", ["train_dataloader.sampler.type=InfiniteSampler"]),
    Row("no_ema", "without the average of the weights", ["custom_hooks=[]"]),
    Row("mobilenet_v2", "MobileNetV2 from ImageNet weights", config=RECIPE.replace("hrnet-w18s", "mobilenet-v2"), precision=True),
    Row("w16s", "HRNet-W16-small", config=RECIPE.replace("w18s", "w16s"), precision=True),
    Row("input_32", "input of 32 px", ["model.data_preprocessor.input_side=32"], precision=True),
    Row("sgd", "SGD .01, as the paper, instead of AdamW", SGD),
    Row("input_128", "input of 128 px", ["model.data_preprocessor.input_side=128"], precision=True),
)


@dataclass(frozen=True)
class Task:
    """A validation split: what is refined, and how it is scored."""

    name: str
    document: dict[str, Any]
    records: list[dict[str, Any]]
    images: ImageFolder

    @classmethod
    def read(cls, data: Path, name: str) -> Task:
        images, annotations, results = SETS[name]
        document = read_annotations(data / annotations)
        records = check_detections(read_results(data / results), document, results).records
        return cls(name, document, records, ImageFolder(data / images, document["images"]))

    def measure(self, model: Path) -> dict[str, Any]:
        """Matched pairs and mask AP, before and after. Records of a score under .05 stay as they are: no pair has one."""
        after, report = refine_records(self.records, self.images, Refiner(load_predictor(str(model))), min_score=LEAST_SCORE)
        pairs = match_pairs(self.records, self.document)
        scores = [score_records(records, pairs) for records in (self.records, after)]
        comparison = compare(*scores, pairs)
        precision = [average_precision(records, self.document) for records in (self.records, after)]
        return {
            "pairs": len(pairs),
            "patches": report.patches,
            "before": {**scores[0].means(), **precision[0]},
            "after": {**scores[1].means(), **precision[1]},
            **asdict(comparison),
        }


def train(row: Row) -> tuple[Path, float]:
    """The exported model of a row and the seconds its training took, as measured then."""
    work = Path("work_dirs/ablations") / row.name
    model, seconds = work / "model.onnx", work / "seconds.json"
    if not seconds.is_file():
        options = ["default_hooks.checkpoint.interval=160", *row.options]
        begun = time.perf_counter()
        run("tools/train.py", row.config, "--amp", "--work-dir", str(work), "--resume", "--cfg-options", *options)
        write_json(seconds, time.perf_counter() - begun)
    if not model.is_file():
        run("tools/export.py", str(work / Path(row.config).name), str(work / f"iter_{ITERATIONS}.pth"), "--out", str(model))
    return model, json.loads(seconds.read_text())


def run(*command: str) -> None:
    subprocess.run([sys.executable, *command], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)


def markdown(results: Sequence[dict[str, Any]]) -> str:
    """Changes in points, one row per training."""
    header = ["trained with", *(f"{s} {m}" for s in ("DAVIS", "COCO") for m in ("IoU", "F@2px", "harmed > 1 point")), "COCO AP", "AP_S"]
    lines = [header, ["---"] * len(header)]
    for result in results:
        cells = [result["change"]]
        for name in SETS:
            part = result[name]
            cells += [f"{100 * part['changes'][metric]['mean']:+.2f}" for metric in (METRICS[0], METRICS[2])]
            cells.append(f"{100 * part['shares']['harmed_clearly']:.0f} %")
        coco = result["coco_val2017"]
        cells += [f"{100 * (coco['after'][metric] - coco['before'][metric]):+.2f}" for metric in ("AP", "AP_S")]
        lines.append(cells)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="+", choices=[row.name for row in ROWS])
    args = parser.parse_args()
    rows = [row for row in ROWS if not args.only or row.name in args.only]
    trained = [train(row) for row in rows]
    tasks = [Task.read(args.data, name) for name in SETS]
    for row, (model, seconds) in zip(rows, trained, strict=True):
        out = RESULTS / f"{row.name}.json"
        if out.is_file():
            continue
        measured = {task.name: task.measure(model) for task in tasks}
        values = {"change": row.change, "options": row.options, "training_patches": 32 * ITERATIONS, "training_seconds": seconds}
        write_json(out, {**values, **measured, "date": time.strftime("%Y-%m-%d")}, indent=1)
        print(row.name, f"{seconds:.0f} s", flush=True)
    finished = [json.loads(path.read_text()) for row in ROWS if (path := RESULTS / f"{row.name}.json").is_file()]
    with atomic_open(RESULTS / "table.md") as file:
        file.write(markdown(finished))


if __name__ == "__main__":
    main()
