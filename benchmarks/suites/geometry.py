"""Extraction and reassembly in memory against full frames: no files, no decoding, no network, one thread.

All sides cut RGB and mask, use the same suppression and must return equal masks. Covering the boundary pixels that
suppression left bare, which the old procedure lacks, counts on our side.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import cv2
import numpy as np

from benchmarks.inputs import street_scene
from benchmarks.measuring import Ratio, Timing, in_turn, row, suite_report
from benchmarks.suites import old_procedure
from bpr.compiled import uncompiled
from bpr.geometry.masks import BoxMask
from bpr.geometry.options import PatchSpec, RefineOptions
from bpr.refinement.batching import PredictedImage
from bpr.refinement.predictor import IdentityPredictor, Instance
from bpr.refinement.refiner import Refiner

SCENES, INSTANCES, REPEATS, TARGET = 5, 20, 3, 30


def measure() -> dict[str, Any]:
    cv2.setNumThreads(1)
    rows = []
    gains: dict[str, list[float]] = {"boxes, numpy alone": [], "boxes": []}
    for seed in range(SCENES):
        timings, patches = compare(seed)
        rows += [row(f"scene {seed}, {name}", timing, patches=patches) for name, timing in timings.items()]
        for name, ratios in gains.items():
            ratios.append(timings["full frame"].median / timings[name].median)
    medians = {name: float(np.median(ratios)) for name, ratios in gains.items()}
    ratios = [Ratio(f"{name} against full frames, median scene", value, TARGET) for name, value in medians.items()]
    return suite_report("geometry", rows, ratios, {"instances": INSTANCES, "frame": "1024x2048", "threads": 1})


def compare(seed: int) -> tuple[dict[str, Timing], int]:
    """Seconds of all sides on one scene, and its number of patches."""
    side, nms_iou = PatchSpec().side, RefineOptions().nms_iou
    refiner, (image, frames) = Refiner(IdentityPredictor()), street_scene(seed, INSTANCES)
    masks = [BoxMask.from_frame(mask) for mask in frames]
    batch = refiner.cut(image, [Instance(mask) for mask in masks], None).batch
    patches = [old_procedure.cut_instance(image, mask, side, nms_iou)[1] for mask in frames]
    answers = [mask_channel(own) for own in patches]
    by_boxes = partial(refine_by_boxes, refiner, image, masks, mask_channel(batch.patches))
    sides = {
        "full frame": partial(refine_by_full_frame, image, frames, side, nms_iou, answers),
        "boxes, numpy alone": uncompiled()(by_boxes),
        "boxes": by_boxes,
    }
    old, *ours = (side() for side in sides.values())
    if not all(np.array_equal(a, b.to_frame()) for new in ours for a, b in zip(old, new, strict=True)):
        raise AssertionError(f"scene {seed}: all sides must give equal masks")
    return {name: Timing.of(spent) for name, spent in in_turn(sides, REPEATS).items()}, len(batch)


def refine_by_full_frame(
    image: np.ndarray, masks: np.ndarray, side: int, nms_iou: float, answers: Sequence[np.ndarray]
) -> list[np.ndarray]:
    refined = []
    for mask, probabilities in zip(masks, answers, strict=True):
        boxes, _ = old_procedure.cut_instance(image, mask, side, nms_iou)
        refined.append(old_procedure.put_back(mask, boxes, probabilities))
    return refined


def refine_by_boxes(
    refiner: Refiner, image: np.ndarray, masks: Sequence[BoxMask], answers: np.ndarray
) -> list[BoxMask]:
    cut = refiner.cut(image, [Instance(mask) for mask in masks], None)
    return [settled.mask for settled in refiner.put_back(PredictedImage(cut, answers))]


def mask_channel(patches: np.ndarray) -> np.ndarray:
    """The answers of a network that returns the coarse mask; made beforehand, so that they cost nothing."""
    return patches[..., 3].astype(np.float32) / 255
