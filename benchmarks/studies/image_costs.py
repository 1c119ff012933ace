"""What refining one image costs: processor seconds and peak memory by photo, number of masks and preset, beside others.

    python -m benchmarks.studies.image_costs

Generated photos from 480p to 24 MP, with 1, 10 and 100 masks of blobs whose median radius is SIZE of the photo's shorter
side. Every cell is a process of its own, in which one thread refines masks that are in memory as run lengths; reading
the photo is left out. Seconds are processor time, so that other work on the machine counts less. The others refine one
mask at a time: GrabCut, DenseCRF (where pydensecrf2 is installed), and a network of the size of CascadePSP's with random
weights, which take the same time: its global step, three passes over the photo scaled to LONG_SIDE. Its local step would
come on top. A cell is left out where ten times the cell before would take more than LONGEST seconds.

The exponents are fitted to all cells of a method: seconds ~ (boundary of a mask)^a * (number of masks)^b.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    import torch

FRAMES = {"480p frame": (480, 854), "2 MP street scene": (1024, 2048), "12 MP photo": (3000, 4000), "24 MP photo": (4000, 6000)}
COUNTS = (1, 10, 100)
SIZE = 0.05
REPEATS, SHORT = 3, 5.0
"""Runs of a cell; one where it takes longer than SHORT seconds."""
LONGEST = 40.0
LONG_SIDE = 900
CASCADE = "network of CascadePSP's size, global step"
OURS = {f"preset {name}": name for name in PRESETS}
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


def by_cascade(image: np.ndarray, masks: Sequence[BoxMask]) -> Callable[[], object]:
    import torch

    torch.set_num_threads(1)
    network = cascade_network()
    scale = LONG_SIDE / max(image.shape[:2])
    width, height = (round(scale * side / 8) * 8 for side in image.shape[1::-1])

    def run() -> None:
        for mask in masks:
            seen = [cv2.resize(image, (width, height)).astype(np.float32) / 255]
            seen.append(cv2.resize(mask.to_frame().astype(np.float32), (width, height))[..., None])
            with torch.inference_mode():
                network(torch.from_numpy(np.concatenate(seen, axis=2)).permute(2, 0, 1)[None])

    return run


def cascade_network() -> torch.nn.Module:
    """A network with the layers of CascadePSP's (Cheng et al., CVPR 2020) in our own words, with random weights.

    ResNet-50 over image and three masks, at an eighth of the input; pyramid pooling to 1024 channels; three steps up to a
    quarter, half and all of the input. It runs three times, each time with the answers of the pass before.
    """
    import torch
    import torch.nn.functional as F
    from torch import nn

    from bpr.training import mmcv_ops  # noqa: F401  # isort: skip  (has to be imported before any module of mmseg)
    from mmseg.models.backbones import ResNet

    class Residual(nn.Module):
        def __init__(self, before: int, skipped: int, after: int) -> None:
            super().__init__()
            self.first, self.second = self._unit(before + skipped, after), self._unit(after, after)
            self.shortcut = nn.Conv2d(before, after, 1)

        @staticmethod
        def _unit(before: int, after: int) -> nn.Module:
            layers = [(nn.BatchNorm2d(n), nn.ReLU(), nn.Conv2d(n, after, 3, padding=1)) for n in (before, after)]
            return nn.Sequential(*(layer for unit in layers for layer in unit))

        def forward(self, small: torch.Tensor, skipped: torch.Tensor) -> torch.Tensor:
            large = F.interpolate(small, size=skipped.shape[2:], mode="bilinear", align_corners=False)
            found = self.first(torch.cat([large, skipped], 1)) + self.shortcut(large)
            return found + self.second(found)

    class Cascade(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = ResNet(50, in_channels=6, strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4))
            self.pools = nn.ModuleList(nn.Conv2d(2048, 2048, 1, bias=False) for _ in range(4))
            self.joined = nn.Conv2d(5 * 2048, 1024, 1)
            self.ups = nn.ModuleList([Residual(1024, 256, 512), Residual(512, 64, 256), Residual(256, 3, 32)])
            self.answers = nn.ModuleList(nn.Sequential(nn.Conv2d(n, 32, 1), nn.ReLU(), nn.Conv2d(32, 1, 1)) for n in (1024, 512, 35))

        def features(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            """At an eighth, a quarter and half of the input."""
            net = self.backbone
            half = net.relu(net.norm1(net.conv1(inputs)))
            quarter = net.layer1(net.maxpool(half))
            eighth = net.layer4(net.layer3(net.layer2(quarter)))
            sizes, pools = (1, 2, 3, 6), self.pools
            pooled = [pool(F.adaptive_avg_pool2d(eighth, size)) for size, pool in zip(sizes, pools, strict=True)]
            wide = [F.interpolate(one, eighth.shape[2:], mode="bilinear", align_corners=False) for one in pooled]
            return F.relu(self.joined(torch.cat([*wide, eighth], 1))), quarter, half

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            """(1, 4, h, w) image and mask -> (1, 1, h, w)."""
            image, mask = inputs[:, :3], inputs[:, 3:]
            side = inputs.shape[2:]
            coarse = fine = mask
            for steps in range(3):
                found, quarter, half = self.features(torch.cat([image, mask, coarse, fine], 1))
                coarse = F.interpolate(torch.tanh(self.answers[0](found)), side, mode="bilinear", align_corners=False)
                if steps:
                    found = self.ups[0](found, quarter)
                    fine = F.interpolate(torch.tanh(self.answers[1](found)), side, mode="bilinear", align_corners=False)
            full = self.ups[2](self.ups[1](found, half), image)
            return torch.sigmoid(self.answers[2](torch.cat([full, image], 1)))

    return Cascade().eval()


METHODS: dict[str, Callable[..., Callable[[], object]]] = {
    **{shown: partial(by_preset, preset=name) for shown, name in OURS.items()},
    **{name: partial(one_by_one, refine=partial(in_band, decide=RIVALS[name].decide)) for name in CLASSICAL if is_here(RIVALS[name])},
    CASCADE: by_cascade,
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


def measure(methods: Sequence[str]) -> list[dict[str, Any]]:
    """The cells, method by method."""
    rows = []
    for method in methods:
        for name, frame in FRAMES.items():
            for count in COUNTS:
                if count > 1 and 10 * rows[-1]["seconds"]["median"] > LONGEST:
                    break
                found = in_own_process(spend, method, frame, count)
                rows.append({"method": method, "photo": name, "masks": count, **found})
                print(f"{method}, {name}, {count}: {found['seconds']['median']:.2f} s", file=sys.stderr)
    return rows


def exponents(rows: Sequence[dict[str, Any]]) -> list[float | None]:
    """a and b of one method; None for b where all cells have one number of masks."""
    length, count = (np.log([one[name] for one in rows]) for name in ("boundary", "masks"))
    seconds = np.log([one["seconds"]["median"] for one in rows])
    columns = [np.ones(len(rows)), length, *([count] if np.ptp(count) else [])]
    found = np.linalg.lstsq(np.stack(columns, axis=1), seconds, rcond=None)[0].tolist()
    return [found[1], found[2] if len(found) == 3 else None]


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
    fitted = [[method, *("" if value is None else f"{value:.2f}" for value in report["exponents"][method])] for method in methods]
    machine = f"{origin['date']}, one thread of {origin['processor']}"
    note = f"{machine}; the {CASCADE.partition(',')[0]} has {report['parameters'] / 1e6:.1f} million parameters."
    costs = markdown_table(["", "masks", *FRAMES], lines)
    growth = markdown_table(["", "boundary of a mask", "number of masks"], fitted)
    return f"{note}\n\n{costs}\n\nExponents:\n\n{growth}\n"


def main() -> None:
    args = script_parser(__doc__, RESULTS / "image_costs.json").parse_args()
    rows = measure(list(METHODS))
    fitted = {method: exponents([one for one in rows if one["method"] == method]) for method in METHODS}
    parameters = sum(one.numel() for one in cascade_network().parameters())
    origin = provenance((*PACKAGES, "pydensecrf2"))
    report = {"provenance": origin, "rows": rows, "exponents": fitted, "parameters": parameters}
    write_report(args.out, report, table(report))


if __name__ == "__main__":
    main()
