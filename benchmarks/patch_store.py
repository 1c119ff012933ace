"""The patch store at the size of the paper: 280,000 patches to train and 67,000 to validate, of 64x64 pixels.

    python benchmarks/patch_store.py [--scale 1.0] [--folder FOLDER] [--out docs/results/patch_store]

Builds both stores with ``bpr extract-patches`` from painted street-sized scenes, the second one once more killed and
resumed; watches memory; reads both ways, store and PNG triplets, from one process; writes OUT.json and OUT.md.
Needs 10 GB of disk at full scale, in FOLDER (default: a temporary folder, removed afterwards).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.registry import init_default_scope

sys.path.insert(0, str(Path(__file__).parents[1]))  # benchmarks/ is part of the checkout, not of the package

from benchmarks.measuring import processor
from benchmarks.png_triplets import PARTS, TripletDataset, write_triplets
from benchmarks.street_scenes import FRAME, scene
from bpr.geometry.masks import BoxMask
from bpr.geometry.proposals import patch_boxes
from bpr.geometry.rle import encode_mask
from bpr.geometry.scheme import PatchScheme
from bpr.io.files import sha256_of, write_json
from bpr.training.data.patch_dataset import PatchDataset
from bpr.training.data.patch_store import PatchStore

TRAIN, VAL = 280_000, 67_000
Masks = list[tuple[dict[str, Any], dict[str, Any]]]
DISTINCT, INSTANCES = 12, 16
TRIPLETS = 4000
PIPELINES = {
    "tensors": [{"type": "bpr.PackPatch"}],
    "tensors, augmented": [{"type": "mmseg.RandomFlip", "prob": 0.5}, {"type": "mmseg.PhotoMetricDistortion"}, {"type": "bpr.PackPatch"}],
}

# What one GPU asks for. GMAC of W18s at 128 px are counted (METHOD); a backward pass costs two forward passes.
GMAC_PER_PATCH = 0.61
PEAK_TFLOPS = 989  # H200, bfloat16, dense, data sheet
UTILISATION = 0.07  # an assumption on the safe side: thin, branched convolutions seldom reach it


def write_scenes(folder: Path) -> tuple[list[Masks], float]:
    """Photo-like JPEGs: for each the (coarse, true) masks of its instances as RLE; and the patches per image."""
    (folder / "images").mkdir()
    found, patches = [], 0
    for seed in range(DISTINCT):
        noise, frames = scene(seed, INSTANCES)
        rng = np.random.default_rng(seed)
        soft = cv2.GaussianBlur(noise.astype(np.float32) - 128, (0, 0), 4) * 8 + 128 + rng.normal(0, 3, noise.shape)
        cv2.imwrite(str(folder / "images" / f"{seed}.jpg"), np.clip(soft, 0, 255).astype(np.uint8))
        coarse = [BoxMask.from_frame(cv2.dilate(mask.view(np.uint8), np.ones((5, 5), np.uint8))) for mask in frames]
        patches += sum(len(patch_boxes(mask, PatchScheme())) for mask in coarse)
        found.append([(encode_mask(mask), encode_mask(BoxMask.from_frame(true))) for mask, true in zip(coarse, frames, strict=True)])
    return found, patches / DISTINCT


def write_annotations(folder: Path, name: str, images: int, masks: Sequence[Masks]) -> None:
    """A data set of ``images`` images that shows the scenes over and over; every one is decoded and cut anew."""
    entries, annotations, results = [], [], []
    for image in range(images):
        entries.append({"id": image, "file_name": f"{image % DISTINCT}.jpg", "height": FRAME[0], "width": FRAME[1]})
        for coarse, true in masks[image % DISTINCT]:
            own = {"image_id": image, "category_id": 1}
            annotations.append({**own, "id": len(annotations) + 1, "iscrowd": 0, "segmentation": true})
            results.append({**own, "score": 1.0, "segmentation": coarse})
    document = {"images": entries, "annotations": annotations, "categories": [{"id": 1, "name": "blob"}]}
    write_json(folder / f"{name}.ann.json", document)
    write_json(folder / f"{name}.segm.json", results)


def start_build(folder: Path, name: str, out: Path, *more: str) -> subprocess.Popen[str]:
    inputs = [str(folder / f"{name}.segm.json"), "--ann", str(folder / f"{name}.ann.json"), "--img-dir", str(folder / "images")]
    command = [sys.executable, str(Path(__file__).parents[1] / "tools" / "extract_patches.py"), *inputs, "--out", str(out), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def rows_so_far(out: Path) -> int:
    origins = out / "origins.npy"
    return max(0, origins.stat().st_size - 128) // 20 if origins.is_file() else 0


def anonymous_mib(process: subprocess.Popen[str]) -> float:
    """Memory of its own, without the page cache of the files that it writes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("RssAnon")), 0.0)


def build(folder: Path, name: str, patches: int) -> dict[str, Any]:
    """Build a store and watch it: seconds from the first row on, memory at each quarter."""
    out, memory = folder / name, []
    process, start, first = start_build(folder, name, out), time.perf_counter(), None
    while process.poll() is None:
        rows = rows_so_far(out)
        first = first or (time.perf_counter() if rows else None)
        if first and rows >= patches * (1 + len(memory)) / 5 and len(memory) < 4:
            memory.append(round(anonymous_mib(process)))
        time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"{name}: the build failed")
    seconds, files = time.perf_counter() - start, sorted(out.iterdir())
    count = len(PatchStore(out))
    return {
        "patches": count,
        "seconds": seconds,
        "patches_per_second": count / seconds,
        "gib": sum(file.stat().st_size for file in files) / 2**30,
        "files": len(files),
        "memory_mib_at_fifths": memory,
    }


def kill_and_resume(folder: Path, name: str, undisturbed: Path) -> dict[str, Any]:
    """SIGKILL when two fifths are there, the same command again, and the bytes of both stores."""
    out, target = folder / "killed", len(PatchStore(undisturbed)) * 2 // 5
    process = start_build(folder, name, out, "--resume")
    while process.poll() is None and rows_so_far(out) < target:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    killed_at, start = rows_so_far(out), time.perf_counter()
    if start_build(folder, name, out, "--resume").wait():
        raise SystemExit("the resumed build failed")
    equal = all(sha256_of(file) == sha256_of(undisturbed / file.name) for file in out.iterdir())
    return {"killed_at_patches": killed_at, "resumed_seconds": time.perf_counter() - start, "equal_bytes": equal}


def drop_from_cache(files: Sequence[Path]) -> None:
    os.sync()
    for path in files:
        with open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def rate(read: Callable[[int], object], order: Sequence[int], clock: Callable[[], float]) -> float:
    start = clock()
    for index in order:
        read(index)
    return len(order) / (clock() - start)


def reading(store_folder: Path, triplets: Path, count: int) -> dict[str, dict[str, float]]:
    """Patches a second of one process in random order, warm: of processor time, which other processes do not disturb."""
    store, rng, rates = PatchStore(store_folder), np.random.default_rng(0), {}
    everywhere, files = rng.permutation(len(store))[:count].tolist(), rng.permutation(count).tolist()
    png = TripletDataset(triplets, count, [])
    ways = {"arrays": (store.read, png.read)}
    for name, pipeline in PIPELINES.items():
        ours, theirs = PatchDataset(str(store_folder), store.scheme.to_dict(), pipeline), TripletDataset(triplets, count, pipeline)
        ways[name] = (ours.__getitem__, theirs.__getitem__)
    for name, (ours, theirs) in ways.items():
        found = []
        for read, order in ((ours, everywhere), (theirs, files)):
            rate(read, order, time.process_time)
            found.append(float(np.median([rate(read, order, time.process_time) for _ in range(3)])))
        rates[name] = {"store": found[0], "png": found[1], "ratio": found[0] / found[1]}
    return rates


def cold_reading(store_folder: Path, triplets: Path, count: int) -> dict[str, float]:
    """The same by the clock with nothing in the page cache: the first epoch, or a store larger than the memory."""
    drop_from_cache([*store_folder.iterdir(), *(file for part in PARTS for file in (triplets / part).iterdir())])
    store, rng = PatchStore(store_folder), np.random.default_rng(1)
    everywhere, files = rng.permutation(len(store))[:count].tolist(), rng.permutation(count).tolist()
    ours = rate(store.read, everywhere, time.perf_counter)
    theirs = rate(TripletDataset(triplets, count, []).read, files, time.perf_counter)
    return {"store": ours, "png": theirs, "ratio": ours / theirs}


def requirement(rates: dict[str, dict[str, float]]) -> dict[str, float]:
    """An estimate: patches a second that one GPU can train, and how many workers feed it."""
    flops = 2 * 3 * GMAC_PER_PATCH * 1e9
    needed = PEAK_TFLOPS * 1e12 * UTILISATION / flops
    augmented = rates["tensors, augmented"]
    workers = {f"workers_{way}": math.ceil(needed / augmented[way]) for way in ("store", "png")}
    cores = {"margin_of_16_workers": 16 * augmented["store"] / needed}
    return (
        {"patches_per_second": needed, "gflop_per_patch": flops / 1e9, "peak_tflops": PEAK_TFLOPS, "utilisation": UTILISATION}
        | workers
        | cores
    )


def markdown(result: dict[str, Any]) -> str:
    train, val, killed, need = (result[name] for name in ("train", "val", "killed", "requirement"))
    lines = [f"{result['date']}, {result['hardware']}; {result['versions']}; scale {result['scale']:g}.", ""]
    lines += ["| store | patches | built in | patches/s | size | files | memory at fifths |", "|---|---|---|---|---|---|---|"]
    for name, row in (("train", train), ("val", val)):
        memory = " / ".join(map(str, row["memory_mib_at_fifths"]))
        numbers = f"{row['patches']} | {row['seconds']:.0f} s | {row['patches_per_second']:.0f} | {row['gib']:.2f} GiB | {row['files']}"
        lines.append(f"| {name} | {numbers} | {memory} MiB |")
    lines += ["", f"Killed (SIGKILL) at patch {killed['killed_at_patches']}, resumed in {killed['resumed_seconds']:.0f} s: "]
    lines[-1] += "all bytes equal to those of the undisturbed build." if killed["equal_bytes"] else "THE BYTES DIFFER."
    lines += ["", "| one worker, patches/s | store | PNG triplets | store / PNG |", "|---|---|---|---|"]
    rows = {f"{name}, warm, of processor time": row for name, row in result["reading"].items()} | {
        "arrays, cold, by the clock": result["cold"]
    }
    lines += [f"| {name} | {row['store']:.0f} | {row['png']:.0f} | {row['ratio']:.1f} |" for name, row in rows.items()]
    lines += [
        "",
        f"Estimate for one H200-class GPU: {need['gflop_per_patch']:.2f} GFLOP per trained patch (W18s at 128 px, {GMAC_PER_PATCH} GMAC "
        f"forward, times 2 and 3), {need['utilisation']:.0%} of {need['peak_tflops']} TFLOPS (assumed, not measured): "
        f"{need['patches_per_second']:.0f} patches/s. With the augmentation that takes {need['workers_store']} workers from the store, "
        f"{need['workers_png']} from PNGs; 16 workers read {need['margin_of_16_workers']:.1f} times the requirement from the store.",
    ]
    return "\n".join(lines) + "\n"


def hardware() -> str:
    return f"{os.cpu_count()} cores of {processor()}"


def measure(folder: Path, scale: float) -> dict[str, Any]:
    masks, per_image = write_scenes(folder)
    for name, patches in (("train", TRAIN), ("val", VAL)):
        write_annotations(folder, name, max(1, round(scale * patches / per_image)), masks)
    train, val = build(folder, "train", round(scale * TRAIN)), build(folder, "val", round(scale * VAL))
    killed = kill_and_resume(folder, "val", folder / "val")
    store, count = PatchStore(folder / "train"), min(TRIPLETS, val["patches"])
    write_triplets(store, np.random.default_rng(2).permutation(len(store))[:count].tolist(), folder / "png")
    cold = cold_reading(folder / "train", folder / "png", count)
    rates = reading(folder / "train", folder / "png", count)
    return {"train": train, "val": val, "killed": killed, "reading": rates, "cold": cold, "requirement": requirement(rates)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--folder", help="where to build")
    parser.add_argument("--out", default="docs/results/patch_store")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    init_default_scope("mmseg")
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        measured = measure(Path(folder), args.scale)
    versions = f"Python {platform.python_version()}, numpy {np.__version__}, OpenCV {cv2.__version__}, torch {torch.__version__}"
    result = {"date": time.strftime("%Y-%m-%d"), "hardware": hardware(), "versions": versions, "scale": args.scale, **measured}
    write_json(f"{args.out}.json", result, indent=1)
    Path(f"{args.out}.md").write_text(markdown(result))
    print(json.dumps(result["reading"], indent=1), markdown(result), sep="\n")


if __name__ == "__main__":
    main()
