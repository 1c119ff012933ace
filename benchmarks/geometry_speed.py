"""Extraction and reassembly per image, ours against the full-frame reference, in one run on one machine.

    python benchmarks/geometry_speed.py [--images 5] [--instances 20] [--out FILE.json]

Scenes of 1024x2048 with 20 instances; no decoding, no network. Both sides cut RGB and mask, use the same suppression
and must return equal masks; the top-up of uncovered pixels, which the old procedure lacks, is counted on our side.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Sequence
from functools import partial

import cv2
import full_frame_reference as reference
import numpy as np

from bpr.formats.files import write_json
from bpr.geometry.masks import BoxMask
from bpr.geometry.scheme import PatchScheme
from bpr.refinement.batching import PredictedImage
from bpr.refinement.predictor import IdentityPredictor, Instance
from bpr.refinement.refiner import Refiner

FRAME = (1024, 2048)


def scene(seed: int, instances: int) -> tuple[np.ndarray, np.ndarray]:
    """A noisy image and (N, H, W) masks of blobs about as large as the cars and people of a street scene."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (*FRAME, 3), dtype=np.uint8)
    masks = np.zeros((instances, *FRAME), np.uint8)
    for mask in masks:
        centre = np.array([rng.integers(0, FRAME[1]), rng.integers(FRAME[0] // 4, FRAME[0])])
        angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
        radii = np.exp(rng.normal(np.log(50), 0.6)) * (1 + 0.25 * np.sin(angles * rng.integers(2, 6) + rng.uniform(0, 6)))
        outline = centre + np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None]
        cv2.fillPoly(mask, [outline.astype(np.int32)], 1)
    return image, masks.astype(bool)


def by_reference(image: np.ndarray, masks: np.ndarray, scheme: PatchScheme, answers: Sequence[np.ndarray]) -> list[np.ndarray]:
    refined = []
    for mask, probabilities in zip(masks, answers, strict=True):
        boxes, _ = reference.cut_instance(image, mask, scheme.side, scheme.nms_iou)
        refined.append(reference.put_back(mask, boxes, probabilities))
    return refined


def by_boxes(refiner: Refiner, image: np.ndarray, masks: Sequence[BoxMask], answers: np.ndarray) -> list[BoxMask]:
    cut = refiner.cut(image, [Instance(mask) for mask in masks])
    return refiner.put_back(PredictedImage(cut, answers))


def coarse_answers(patches: np.ndarray) -> np.ndarray:
    """What a network says that believes the coarse mask; made beforehand, because the network is not measured."""
    return patches[..., 3].astype(np.float32) / 255


def median_seconds(function: Callable[[], object], repeats: int) -> float:
    function()
    spent = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        spent.append(time.perf_counter() - start)
    return float(np.median(spent))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5)
    parser.add_argument("--instances", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    scheme = PatchScheme()
    refiner, rows = Refiner(IdentityPredictor(scheme)), []
    for seed in range(args.images):
        image, frames = scene(seed, args.instances)
        boxed = [BoxMask.from_frame(mask) for mask in frames]
        batch = refiner.cut(image, [Instance(mask) for mask in boxed]).batch
        full = [coarse_answers(reference.cut_instance(image, mask, scheme.side, scheme.nms_iou)[1]) for mask in frames]
        sides = partial(by_reference, image, frames, scheme, full), partial(by_boxes, refiner, image, boxed, coarse_answers(batch.patches))
        assert all(np.array_equal(old, new.to_frame()) for old, new in zip(*(side() for side in sides), strict=True))
        old, new = (median_seconds(side, args.repeats) for side in sides)
        rows.append({"seed": seed, "patches": len(batch), "ratio": old / new})
        print(f"scene {seed}: {rows[-1]['patches']} patches, full frame / boxes = {old / new:.1f}")
    ratio = float(np.median([row["ratio"] for row in rows]))
    print(f"median: {ratio:.1f} times faster (one thread, {platform.machine()}, numpy {np.__version__}, OpenCV {cv2.__version__})")
    if args.out:
        write_json(args.out, {"ratio": ratio, "rows": rows}, indent=1)


if __name__ == "__main__":
    main()
