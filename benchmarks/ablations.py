"""Train short versions of the recipe, each with one thing changed, and measure all on both validation splits.

    python -m benchmarks.ablations DATA [--only NAME ...]

DATA holds coco/, davis/ and detections/; benchmarks/hold_out.py must have run. Finished trainings and finished
measurements are kept (work_dirs/ablations, docs/results/ablations), so the script goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.quality import SETS, Split, measured
from bpr.io.files import write_json

RECIPE = "configs/bpr_hrnet-w18s_1xb32-320_starter-64x64.py"
SGD = [f"optim_wrapper.optimizer.{value}" for value in ("_delete_=True", "type=SGD", "lr=0.01", "momentum=0.9", "weight_decay=0.0005")]
ITERATIONS = 320  # of the recipe
RESULTS = Path("docs/results/ablations")


def inputs(*names: str) -> list[str]:
    """Overrides that change what the network sees."""
    quoted = "[" + ",".join(f"'{name}'" for name in names) + "]"
    places = ("refinement.patch", "train_dataloader.dataset.patch", "model.data_preprocessor")
    return [f"{place}.inputs={quoted}" for place in places]


@dataclass(frozen=True)
class Row:
    """One training: what it changes of the recipe, in words and as overrides."""

    name: str
    change: str
    options: list[str] = field(default_factory=list)
    config: str = RECIPE
    precision: bool = False  # also measure AP, for which every detection has to be refined


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


def train(row: Row) -> tuple[Path, float]:
    """The exported model of a row and the processor seconds its training took, as measured then."""
    work = Path("work_dirs/ablations") / row.name
    model, seconds = work / "model.onnx", work / "seconds.json"
    if not seconds.is_file():
        options = ["default_hooks.checkpoint.interval=160", *row.options]
        before = processor_seconds()
        run("tools/train.py", row.config, "--amp", "--work-dir", str(work), "--resume", "--cfg-options", *options)
        write_json(seconds, processor_seconds() - before)
    if not model.is_file():
        run("tools/export.py", str(work / Path(row.config).name), str(work / f"iter_{ITERATIONS}.pth"), "--out", str(model))
    return model, json.loads(seconds.read_text())


def processor_seconds() -> float:
    """Of the processes that have been run so far: other work on the machine does not count."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(*command: str) -> None:
    subprocess.run([sys.executable, *command], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="+", choices=[row.name for row in ROWS])
    args = parser.parse_args()
    rows = [row for row in ROWS if not args.only or row.name in args.only]
    trained = [train(row) for row in rows]
    splits = [Split.read(args.data, name) for name in SETS]
    for row, (model, seconds) in zip(rows, trained, strict=True):
        out = RESULTS / f"{row.name}.json"
        if not out.is_file():
            values = {"change": row.change, "order": ROWS.index(row), "options": row.options}
            values |= {"training_patches": 32 * ITERATIONS, "training_seconds": seconds}
            write_json(out, {**values, **measured(model, splits, row.precision, {})}, indent=1)


if __name__ == "__main__":
    main()
