"""Patches as refining cuts them, drawn from a results file, to calibrate int8 ranges on realistic inputs.

Legend: K patches, S window side, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bpr.errors import BadImage, BadMask, BPRError
from bpr.formats.coco import Record
from bpr.formats.photos import read_photo
from bpr.geometry.options import PatchSpec, RefineOptions
from bpr.io.image_finder import ImageFinder
from bpr.refinement.predictor import IdentityPredictor, Instance
from bpr.refinement.refiner import Refiner

FROM_EACH = 4
"""Patches of one instance look alike, so a few are taken from each of many instances."""


def draw_patches(
    records: Sequence[Record], images: ImageFinder, spec: PatchSpec, options: RefineOptions, count: int, seed: int = 0
) -> np.ndarray:
    """(K, S, S, C) uint8: at most ``count`` patches, a few from each of randomly drawn detections.

    Detections that cannot be refined are skipped, as in refining.

    Raises:
        BPRError: no detection gives a patch.
    """
    rng, refiner = np.random.default_rng(seed), Refiner(IdentityPredictor(spec), replace(options, caution=0.0))
    drawn: list[np.ndarray] = []
    for index in rng.permutation(len(records)).tolist():
        if len(drawn) >= count:
            break
        drawn.extend(rng.permutation(_cut(records[index], images, refiner))[:FROM_EACH])
    if not drawn:
        raise BPRError(
            f"calibration: expected detections that give patches, got none from {len(records)} records; check --img-dir"
        )
    return rng.permutation(np.stack(drawn[:count]))


def _cut(record: Record, images: ImageFinder, refiner: Refiner) -> np.ndarray:
    """(K, S, S, C) uint8: all patches of one detection, none where its image or mask cannot be read."""
    try:
        photo = read_photo(images, record["image_id"], [record["segmentation"]])
        image, instances = photo.pixels, [Instance(photo.mask(record["segmentation"]))]
    except (BadImage, BadMask):
        image, instances = np.empty((0, 0, 3), np.uint8), []
    return refiner.cut(image, instances, None).batch.patches
