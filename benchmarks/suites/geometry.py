"""Extraction and reassembly in memory, ours against full frames: no files, no decoding, no network, one thread.

All sides cut RGB and mask, use the same suppression and must return equal masks; the top-up of uncovered pixels, which
the old procedure lacks, is counted on our side.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import cv2
import numpy as np

from benchmarks import old_procedure
from benchmarks.arithmetic import numpy_alone
from benchmarks.measuring import Ratio, Report, Timing, in_turn, row
from benchmarks.street_scenes import scene
from bpr.geometry.masks import BoxMask
from bpr.geometry.scheme import PatchScheme
from bpr.refinement.batching import PredictedImage
from bpr.refinement.predictor import IdentityPredictor, Instance
from bpr.refinement.refiner import Refiner

SCENES, INSTANCES, REPEATS, TARGET = 5, 20, 3, 30


def measure() -> Report:
    cv2.setNumThreads(1)
    rows = []
    gains: dict[str, list[float]] = {"boxes, numpy alone": [], "boxes": []}
    for seed in range(SCENES):
        timings, patches = compare(seed)
        rows += [row(f"scene {seed}, {name}", timing, patches=patches) for name, timing in timings.items()]
        for name, own in gains.items():
            own.append(timings["full frame"].median / timings[name].median)
    settings = {"instances": INSTANCES, "frame": "1024x2048", "threads": 1}
    ratios = [Ratio(f"{name} against full frames, median scene", float(np.median(own)), TARGET) for name, own in gains.items()]
    return Report("geometry", rows, ratios, settings)


def compare(seed: int) -> tuple[dict[str, Timing], int]:
    """Seconds of all sides on one scene, and its patches."""
    scheme = PatchScheme()
    refiner, (image, frames) = Refiner(IdentityPredictor(scheme)), scene(seed, INSTANCES)
    boxed = [BoxMask.from_frame(mask) for mask in frames]
    batch = refiner.cut(image, [Instance(mask) for mask in boxed]).batch
    full = [coarse_answers(old_procedure.cut_instance(image, mask, scheme.side, scheme.nms_iou)[1]) for mask in frames]
    sides = {
        "full frame": partial(by_full_frame, image, frames, scheme, full),
        "boxes, numpy alone": numpy_alone()(partial(by_boxes, refiner, image, boxed, coarse_answers(batch.patches))),
        "boxes": partial(by_boxes, refiner, image, boxed, coarse_answers(batch.patches)),
    }
    old, *ours = (side() for side in sides.values())
    if not all(np.array_equal(a, b.to_frame()) for new in ours for a, b in zip(old, new, strict=True)):
        raise AssertionError(f"scene {seed}: all sides must give equal masks")
    return {name: Timing.of(spent) for name, spent in in_turn(sides, REPEATS).items()}, len(batch)


def by_full_frame(image: np.ndarray, masks: np.ndarray, scheme: PatchScheme, answers: Sequence[np.ndarray]) -> list[np.ndarray]:
    refined = []
    for mask, probabilities in zip(masks, answers, strict=True):
        boxes, _ = old_procedure.cut_instance(image, mask, scheme.side, scheme.nms_iou)
        refined.append(old_procedure.put_back(mask, boxes, probabilities))
    return refined


def by_boxes(refiner: Refiner, image: np.ndarray, masks: Sequence[BoxMask], answers: np.ndarray) -> list[BoxMask]:
    cut = refiner.cut(image, [Instance(mask) for mask in masks])
    return refiner.put_back(PredictedImage(cut, answers))


def coarse_answers(patches: np.ndarray) -> np.ndarray:
    """What a network says that believes the coarse mask; made beforehand, because the network is not measured."""
    return patches[..., 3].astype(np.float32) / 255
