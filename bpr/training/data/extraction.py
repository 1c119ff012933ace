"""Detections matched to ground truth -> a patch store to train on (METHOD: IoU > 0.5, same class, no crowd)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bpr.errors import BadImage, BadMask
from bpr.formats.coco import Record
from bpr.formats.ground_truth import GroundTruth
from bpr.geometry.masks import BoxMask
from bpr.geometry.options import PatchSpec, Placement
from bpr.geometry.patches import crop_patches, crop_window
from bpr.geometry.placement import patch_boxes
from bpr.geometry.rle import decode_mask
from bpr.io.images import ImageFolder, read_image
from bpr.refinement.grouping import group_by_image
from bpr.refinement.pipeline import ordered_map
from bpr.refinement.sharing.workers import shards
from bpr.training.data.journal import Progress
from bpr.training.data.patch_store import PatchStoreWriter, finished_build

MATCH_IOU = 0.5


@dataclass(frozen=True)
class ExtractionCounts:
    """What became of the records: ``matched`` gave patches, ``unmatched`` had no truth, ``unreadable`` no image."""

    records: int
    matched: int
    unmatched: int
    unreadable: int
    patches: int


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
) -> ExtractionCounts:
    """Write the patches of every matched detection to the store ``out``, in the order of images and records.

    Args:
        source: says which records and truth these are, for the manifest, and to know them again.
        resume: go on with a killed build of the same patches and source; a finished one is left as it is.
        shard: which of how many parts to do: consecutive images, so that the stores of all parts, one after the other,
            hold the rows of the whole.
    """
    by_image = group_by_image(records)
    groups = [by_image[image] for image in np.flatnonzero(shards(by_image.costs, shard[1]) == shard[0]).tolist()]

    def cut(indices: list[int]) -> tuple[int, int, Iterator[tuple[np.ndarray, ...]]]:
        own = {index: records[index] for index in indices}
        matched = _matched(list(own.values()), indices, truth.fresh())
        try:
            image = read_image(images.path(own[indices[0]]["image_id"])) if matched else np.empty((0, 0, 3), np.uint8)
            coarse = [decode_mask(own[index]["segmentation"], image.shape[:2]) for index, _ in matched]
        except (BadImage, BadMask):
            return 0, len(matched), iter(())
        rows = [_cut_instance(image, mask, *pair, spec, placement) for mask, pair in zip(coarse, matched, strict=True)]
        return len(matched), 0, iter(rows)

    def build() -> Progress:
        with PatchStoreWriter(out, spec, placement, source, resume) as store:
            for matched, unreadable, instances in ordered_map(cut, groups[store.progress.items :], workers):
                for arrays in instances:
                    store.append(*arrays)
                store.end_item(matched, unreadable)
            return store.progress

    built = (finished_build(out, spec, placement, source) if resume else None) or build()
    count = sum(map(len, groups))
    unmatched = count - built.matched - built.unreadable
    return ExtractionCounts(count, built.matched, unmatched, built.unreadable, built.rows)


def _matched(records: Sequence[Record], indices: Sequence[int], truth: GroundTruth) -> list[tuple[int, BoxMask]]:
    """The index and the ground truth of every record of an image that found its object."""
    found = zip(indices, truth.matches(records), strict=True)
    return [(index, target) for index, (target, iou) in found if target is not None and iou > MATCH_IOU]


def _cut_instance(
    image: np.ndarray, mask: BoxMask, index: int, target: BoxMask, spec: PatchSpec, placement: Placement
) -> tuple[np.ndarray, ...]:
    """Rows for the store: patches (n, S, S, C), targets (n, S, S), origins (n, 5)."""
    boxes = patch_boxes(mask, spec, placement)
    targets = np.empty((len(boxes), spec.window, spec.window), np.uint8)
    for row, box in zip(targets, boxes.tolist(), strict=True):
        row[:] = crop_window(target, box, spec)
    origins = np.concatenate([np.full((len(boxes), 1), index), boxes], axis=1)
    return crop_patches(image, mask, boxes, spec), targets, origins
