"""Train short versions of the recipe, each with one change, and measure all on both validation splits.

    python -m benchmarks.studies.ablations DATA [--only NAME ...]

DATA holds coco/, davis/ and detections/; benchmarks/training/split_data.py must have run. Finished trainings and
measurements are kept (work_dirs/ablations, docs/results/ablations), so that the script continues where it was
stopped.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.inputs import VAL, Split
from benchmarks.measuring import RESULTS, script_parser, write_report
from benchmarks.studies.quality import measure
from bpr.io.files import write_json

RECIPE = "configs/bpr_hrnet-w18s_1xb32-320_starter-64x64.py"
SGD = ("_delete_=True", "type=SGD", "lr=0.01", "momentum=0.9", "weight_decay=0.0005")
MOBILE = RECIPE.replace("hrnet-w18s", "mobilenet-v2")
ITERATIONS = 320  # of the recipe


def inputs(*names: str) -> list[str]:
    """The overrides that change the input channels."""
    quoted = "[" + ",".join(f"'{name}'" for name in names) + "]"
    keys = ("refinement.patch", "train_dataloader.dataset.patch", "model.data_preprocessor")
    return [f"{key}.inputs={quoted}" for key in keys]


@dataclass(frozen=True)
class Row:
    """One training: its change of the recipe, in words and as overrides."""

    name: str
    change: str
    options: list[str] = field(default_factory=list)
    config: str = RECIPE
    precision: bool = False  # also measure AP, for which every detection is refined


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
    Row("mobilenet_v2", "MobileNetV2 from ImageNet weights", config=MOBILE, precision=True),
    Row("w16s", "HRNet-W16-small", config=RECIPE.replace("w18s", "w16s"), precision=True),
    Row("input_32", "input of 32 px", ["model.data_preprocessor.input_side=32"], precision=True),
    Row("sgd", "SGD .01, as the paper, instead of AdamW", [f"optim_wrapper.optimizer.{value}" for value in SGD]),
    Row("input_128", "input of 128 px", ["model.data_preprocessor.input_side=128"], precision=True),
)


def train(row: Row) -> tuple[Path, float]:
    """The exported model of a row, and the processor seconds that its training took."""
    work = Path("work_dirs/ablations") / row.name
    model, seconds = work / "model.onnx", work / "seconds.json"
    if not seconds.is_file():
        options = ["default_hooks.checkpoint.interval=160", *row.options]
        before = processor_seconds()
        words = ["--amp", "--resume", "--work-dir", str(work), "--cfg-options", *options]
        run("tools/train.py", row.config, *words)
        write_json(seconds, processor_seconds() - before)
    if not model.is_file():
        checkpoint = work / f"iter_{ITERATIONS}.pth"
        run("tools/export.py", str(work / Path(row.config).name), str(checkpoint), "--out", str(model))
    return model, json.loads(seconds.read_text())


def processor_seconds() -> float:
    """Used by all finished child processes; other work on the machine does not count."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(*command: str) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, *command], check=True, env=environment, stdout=subprocess.DEVNULL)


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="+", choices=[row.name for row in ROWS])
    args = parser.parse_args()
    rows = [row for row in ROWS if not args.only or row.name in args.only]
    trained = [train(row) for row in rows]
    splits = [Split.read(args.data, name) for name in VAL]
    for row, (model, seconds) in zip(rows, trained, strict=True):
        out = RESULTS / "ablations" / f"{row.name}.json"
        if not out.is_file():
            values = {"change": row.change, "order": ROWS.index(row), "options": row.options}
            values |= {"training_patches": 32 * ITERATIONS, "training_seconds": seconds}
            write_report(out, {**values, **measure(model, splits, row.precision)})


if __name__ == "__main__":
    main()
