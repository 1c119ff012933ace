"""Hash what ``bpr refine`` writes on real data for several models and formats, and compare two versions of the code.

    python -m benchmarks.proofs.same_bytes record DATA CHECKOUT before.json
    python -m benchmarks.proofs.same_bytes compare before.json after.json

DATA holds coco/, davis/ and detections/. The commands run in CHECKOUT, which may be another version than this one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

MODELS = ("identity", "oracle", "starter", "starter-fast")
CONVERTED = ("cityscapes", "panoptic", "yolo")
"""Formats into which the checkout converts the ground truth of DAVIS val, to refine it as coarse masks."""
JSON_OUTPUTS = ("DAVIS val", "COCO val", "panoptic")


def bpr(checkout: Path, *words: str | Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    command = [sys.executable, "-m", "bpr", *map(str, words)]
    subprocess.run(command, cwd=checkout, env=environment, check=True, capture_output=True)


def digest(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of all files below a folder."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    files = sorted(file for file in path.rglob("*") if file.is_file())
    lines = [f"{file.relative_to(path)} {hashlib.sha256(file.read_bytes()).hexdigest()}" for file in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def record(data: Path, checkout: Path) -> dict[str, str]:
    """The digests of all outputs and of the converted inputs, by name."""
    found = {}
    davis, coco, detections = data / "davis", data / "coco", data / "detections"
    davis_ann, coco_ann = davis / "annotations/instances_val.json", coco / "annotations/instances_val2017.json"
    inputs: dict[str, list[str | Path]] = {
        "DAVIS val": [detections / "davis_val.segm.json", "--ann", davis_ann, "--img-dir", davis / "val"],
        "COCO val": [detections / "coco_val2017.segm.json", "--ann", coco_ann, "--img-dir", coco / "val2017"],
    }
    inputs["COCO val"] += ["--min-score", ".05"]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "in").mkdir()
        for name in CONVERTED:
            target = work / "in" / (f"{name}.json" if name == "panoptic" else name)
            bpr(checkout, "convert", davis_ann, "--to", name, "--ann", davis_ann, "--out", target)
            found[f"{name} (input)"] = digest(target.parent if name == "panoptic" else target)
            inputs[name] = [target, "--img-dir", davis / "val"]
        for name, words in inputs.items():
            for model in MODELS:
                if model == "oracle" and "--ann" not in words:
                    continue
                out = work / "out" / name / model / ("refined.json" if name in JSON_OUTPUTS else "refined")
                out.parent.mkdir(parents=True)
                bpr(checkout, "refine", *words, "--model", model, "--out", out)
                found[f"{name}, {model}"] = digest(out.parent)
                print(f"{name}, {model}: {found[f'{name}, {model}']}", flush=True)
    return found


def compare(before: dict[str, str], after: dict[str, str]) -> bool:
    """Print a table of the digests; True if all are equal."""
    print("| output | before | after | |\n|---|---|---|---|")
    for name in before | after:
        old, new = before.get(name, "none"), after.get(name, "none")
        print(f"| {name} | `{old[:16]}` | `{new[:16]}` | {'equal' if old == new else 'DIFFERENT'} |")
    return before == after


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    for action, names in {"record": ("data", "checkout", "out"), "compare": ("before", "after")}.items():
        arguments = actions.add_parser(action)
        for name in names:
            arguments.add_argument(name, type=Path)
    args = parser.parse_args()
    if args.action == "record":
        args.out.write_text(json.dumps(record(args.data.resolve(), args.checkout.resolve()), indent=1) + "\n")
        return 0
    return 0 if compare(json.loads(args.before.read_text()), json.loads(args.after.read_text())) else 1


if __name__ == "__main__":
    sys.exit(main())
