"""Match detections to ground truth (IoU > 0.5, same class, no crowd: the paper) and write a patch store.

Legend: n patches of an instance, S window side, C channels of a patch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bpr.errors import BadImage, BadMask
from bpr.evaluation.matching import GroundTruth
from bpr.formats.coco import Record
from bpr.formats.photos import read_photo
from bpr.geometry.masks import BoxMask
from bpr.geometry.options import PatchSpec, Placement
from bpr.geometry.patches import crop_patches, crop_window, patch_boxes
from bpr.io.image_finder import ImageFolder
from bpr.refinement.grouping import group_by_image
from bpr.refinement.pipeline import ordered_map
from bpr.refinement.sharing.workers import shards
from bpr.training.data.build_journal import Progress
from bpr.training.data.patch_store import PatchStoreWriter, finished_build

MATCH_IOU = 0.5


def extract_patches(
    records: Sequence[Record],
    truth: GroundTruth,
    images: ImageFolder,
    spec: PatchSpec,
    placement: Placement,
    out: str | Path,
    source: dict[str, Any],
    workers: int = 2,
    resume: bool = False,
    shard: tuple[int, int] = (1, 1),
) -> tuple[int, Progress]:
    """Write the patches of every matched detection to the store ``out``, in the order of images and records.

    Args:
        source: names and hashes of the files that the records and the truth come from. It is kept in the manifest, and
            a build is resumed only if it is the same.
        resume: continue a killed build of the same patches and source; a finished one is left as it is.
        shard: (number, count): extract only this part of the images. Parts are consecutive: the stores of all parts,
            concatenated, have the same rows as one store of all images.

    Returns:
        The number of all records, and what became of those with a match.

    Raises:
        BPRError: ``out`` holds another store or another build.
    """
    by_image = group_by_image(records)
    groups = [by_image[image] for image in np.flatnonzero(shards(by_image.costs, shard[1]) == shard[0]).tolist()]

    def cut(indices: list[int]) -> tuple[int, int, list[tuple[np.ndarray, ...]]]:
        """Matched records, unreadable records, and the rows of every matched instance of one image."""
        matches = truth.fresh().matches([records[index] for index in indices])
        pairs = zip(indices, matches, strict=True)
        matched = [(index, mask) for index, (mask, iou) in pairs if mask is not None and iou > MATCH_IOU]
        if not matched:
            return 0, 0, []
        try:
            found = [records[index] for index, _ in matched]
            photo = read_photo(images, found[0]["image_id"], [record["segmentation"] for record in found])
            coarse = [photo.mask(record["segmentation"]) for record in found]
        except (BadImage, BadMask):
            return 0, len(matched), []
        rows = [
            _cut_instance(photo.pixels, mask, index, target, spec, placement)
            for mask, (index, target) in zip(coarse, matched, strict=True)
        ]
        return len(matched), 0, rows

    built = finished_build(out, spec, placement, source) if resume else None
    if built is None:
        with PatchStoreWriter(out, spec, placement, source, resume) as store:
            for matched, unreadable, instances in ordered_map(cut, groups[store.progress.items :], workers):
                for arrays in instances:
                    store.append(*arrays)
                store.end_item(matched, unreadable)
            built = store.progress
    return sum(map(len, groups)), built


def _cut_instance(
    image: np.ndarray, mask: BoxMask, index: int, target: BoxMask, spec: PatchSpec, placement: Placement
) -> tuple[np.ndarray, ...]:
    """Rows for the store: patches (n, S, S, C), targets (n, S, S), origins (n, 5)."""
    boxes = patch_boxes(mask, spec, placement)
    windows = [crop_window(target, box, spec) for box in boxes.tolist()]
    targets = np.array(windows, np.uint8).reshape(-1, spec.window, spec.window)
    origins = np.concatenate([np.full((len(boxes), 1), index), boxes], axis=1)
    return crop_patches(image, mask, boxes, spec), targets, origins
