"""What refining one image costs: processor seconds and peak memory by photo, number of masks and preset, beside others.

    python -m benchmarks.studies.image_costs

Generated photos from 480p to 24 MP, with 1, 10 and 100 masks of blobs whose median radius is SIZE of the photo's shorter
side. Every cell is a process of its own, in which one thread refines masks that are in memory as run lengths; reading
the photo is left out. Seconds are processor time, so that other work on the machine counts less. The others refine one
mask at a time: GrabCut, and DenseCRF where pydensecrf2 is installed. A cell is left out where ten times the cell before would
take more than LONGEST seconds.

The exponents are fitted to all cells of a method: seconds ~ (boundary of a mask)^a * (number of masks)^b.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import cv2
import numpy as np

import bpr
from benchmarks.inputs import street_blobs, street_image
from benchmarks.measuring import (
    PACKAGES,
    RESULTS,
    Timing,
    in_own_process,
    markdown_table,
    peak_mebibytes,
    provenance,
    script_parser,
    seconds_of,
    write_report,
)
from benchmarks.studies.classical_refiners import RIVALS, Refine, in_band, is_here
from bpr.backends.presets import PRESETS
from bpr.geometry.boundary import boundary_pixels
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask

FRAMES = {"480p frame": (480, 854), "2 MP street scene": (1024, 2048), "12 MP photo": (3000, 4000), "24 MP photo": (4000, 6000)}
COUNTS = (1, 10, 100)
SIZE = 0.05
REPEATS, SHORT = 3, 5.0
"""Runs of a cell; one where it takes longer than SHORT seconds."""
LONGEST = 40.0
CLASSICAL = ("GrabCut", "DenseCRF")


def inputs(frame: tuple[int, int], count: int) -> tuple[np.ndarray, list[BoxMask]]:
    """An (H, W, 3) image and ``count`` masks in it."""
    image, rng = street_image(0, frame)
    blobs = street_blobs(rng, 2 * count, frame, SIZE * min(frame))
    masks = (BoxMask.from_frame(blob) for blob in blobs)
    return image, [mask for mask in masks if mask.area][:count]


def by_preset(image: np.ndarray, masks: Sequence[BoxMask], preset: str) -> Callable[[], object]:
    refiner = bpr.load(preset=preset, threads=1)
    return partial(refiner, image, [encode_mask(mask) for mask in masks])


def one_by_one(image: np.ndarray, masks: Sequence[BoxMask], refine: Refine) -> Callable[[], object]:
    return lambda: [refine(image, mask) for mask in masks]


METHODS: dict[str, Callable[..., Callable[[], object]]] = {
    **{f"preset {name}": partial(by_preset, preset=name) for name in PRESETS},
    **{name: partial(one_by_one, refine=partial(in_band, decide=RIVALS[name].decide)) for name in CLASSICAL if is_here(RIVALS[name])},
}


def spend(method: str, frame: tuple[int, int], count: int) -> dict[str, Any]:
    """Seconds and peak memory of one cell, and the mean boundary of its masks in pixels."""
    cv2.setNumThreads(1)
    image, masks = inputs(frame, count)
    run = METHODS[method](image, masks)
    seconds = [seconds_of(run, time.process_time)]
    if seconds[0] < SHORT:  # the first run also warms up
        seconds = [seconds_of(run, time.process_time) for _ in range(REPEATS)]
    length = float(np.mean([len(boundary_pixels(mask)[0]) for mask in masks]))
    return {"seconds": vars(Timing.of(seconds)), "mebibytes": peak_mebibytes(), "boundary": length}


def measure() -> list[dict[str, Any]]:
    """The cells, method by method."""
    rows = []
    for method in METHODS:
        for name, frame in FRAMES.items():
            for count in COUNTS:
                if count > 1 and 10 * rows[-1]["seconds"]["median"] > LONGEST:
                    break
                found = in_own_process(spend, method, frame, count)
                rows.append({"method": method, "photo": name, "masks": count, **found})
                print(f"{method}, {name}, {count}: {found['seconds']['median']:.2f} s", file=sys.stderr)
    return rows


def exponents(rows: Sequence[dict[str, Any]]) -> list[float]:
    """a and b of one method."""
    columns = [[one["boundary"], one["masks"], one["seconds"]["median"]] for one in rows]
    length, count, seconds = np.log(np.array(columns).T)
    return np.linalg.lstsq(np.stack([np.ones(len(rows)), length, count], axis=1), seconds, rcond=None)[0][1:].tolist()


def table(report: dict[str, Any]) -> str:
    """A row per method and number of masks: seconds and memory for every photo; then the exponents."""
    origin, rows = report["provenance"], report["rows"]
    methods = list(dict.fromkeys(one["method"] for one in rows))
    cells = {(one["method"], one["masks"], one["photo"]): one for one in rows}
    lines = []
    for method in methods:
        for count in COUNTS:
            found = [cells.get((method, count, photo)) for photo in FRAMES]
            if any(found):
                texts = [f"{one['seconds']['median']:.2f} s, {one['mebibytes']:.0f} MiB" if one else "" for one in found]
                lines.append([method, str(count), *texts])
    fitted = [[method, *(f"{value:.2f}" for value in report["exponents"][method])] for method in methods]
    note = f"{origin['date']}, one thread of {origin['processor']}."
    costs = markdown_table(["", "masks", *FRAMES], lines)
    growth = markdown_table(["", "boundary of a mask", "number of masks"], fitted)
    return f"{note}\n\n{costs}\n\nExponents:\n\n{growth}\n"


def main() -> None:
    args = script_parser(__doc__, RESULTS / "image_costs.json").parse_args()
    rows = measure()
    fitted = {method: exponents([one for one in rows if one["method"] == method]) for method in METHODS}
    report = {"provenance": provenance((*PACKAGES, "pydensecrf2")), "rows": rows, "exponents": fitted}
    write_report(args.out, report, table(report))


if __name__ == "__main__":
    main()
