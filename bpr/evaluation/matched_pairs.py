"""The matched-pair table: what a refinement does to the detections that found their object.

Which detection belongs to which annotated instance is decided once, on the coarse file; the refined file is read at the
same records. Missing objects and false positives play no part, so the table is fair where not every object is annotated.

Legend: N pairs, in the order of the annotations by image and class.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from bpr.errors import BPRError
from bpr.evaluation.boundary_metrics import boundary_counts, boundary_overlap, overlap
from bpr.evaluation.inputs import Detections, Document, image_frames, is_checked
from bpr.evaluation.measured import Ratios, interval
from bpr.formats.coco import Record
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import compress, decode_mask

LEAST_IOU = 0.5
LEAST_SCORE = 0.05
BOUNDARY_RATIO = 0.02
TOLERANCE = 2
UNCHANGED = 0.001
CLEARLY = 0.01
METRICS = ("iou", "boundary_iou", "boundary_f")


@dataclass(frozen=True, eq=False)
class Pair:
    """An annotated instance, its place in the annotation file, and the index of the record that found it.

    The annotation has a compressed RLE and an ``area``.
    """

    image_id: Any
    annotation: Record
    place: int
    record: int

    @property
    def truth(self) -> BoxMask:
        """The annotated mask, decoded anew: thousands of pairs stay small."""
        return decode_mask(self.annotation["segmentation"])


@dataclass(frozen=True, eq=False)
class PairScores:
    """(N,) float64 each, in [0, 1]: mask IoU, Boundary IoU at .02 of the diagonal, boundary F at 2 px."""

    iou: np.ndarray
    boundary_iou: np.ndarray
    boundary_f: np.ndarray

    def means(self) -> dict[str, float]:
        """Mean over the pairs of every metric; there must be a pair."""
        return {name: float(getattr(self, name).mean()) for name in METRICS}


@dataclass(frozen=True)
class Change:
    """Mean change of a metric over the pairs and its 95 % bootstrap interval over the images."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Shares:
    """Shares of the pairs by their change of mask IoU.

    ``unchanged``: at most .001 either way; ``harmed_clearly``: the part of ``harmed`` that lost more than .01.
    """

    improved: float
    unchanged: float
    harmed: float
    harmed_clearly: float


@dataclass(frozen=True)
class Comparison:
    """Before -> after over the same pairs; ``changes`` by the names of METRICS."""

    changes: dict[str, Change]
    shares: Shares


def match_pairs(records: Sequence[Record], document: Document) -> list[Pair]:
    """For every instance that is no crowd its best detection of the same class, where there is one.

    Best: the highest mask IoU (at least .5) among the records of score .05 or more; ties go to the higher score, then to
    the earlier record.

    Args:
        records: checked detections (:func:`bpr.evaluation.inputs.check_detections`).
        document: a COCO annotation file.
    """
    frames = image_frames(document)
    candidates: dict[tuple[Any, Any], list[int]] = defaultdict(list)
    for index, record in enumerate(records):
        if record["score"] >= LEAST_SCORE:
            candidates[record["image_id"], record["category_id"]].append(index)
    truths: dict[tuple[Any, Any], list[int]] = defaultdict(list)
    for place, annotation in enumerate(document["annotations"]):
        if annotation["image_id"] in frames and not annotation.get("iscrowd"):
            truths[annotation["image_id"], annotation["category_id"]].append(place)
    pairs: list[Pair] = []
    for key, places in truths.items():
        if candidates[key]:
            annotations = [_with_rle(document["annotations"][place], frames[key[0]]) for place in places]
            pairs += _group_pairs(records, candidates[key], annotations, places)
    return pairs


def _with_rle(annotation: Record, frame: tuple[int, int]) -> Record:
    if is_checked(annotation):
        return annotation
    segmentation, area = compress(annotation["segmentation"], frame)
    return {"area": area, **annotation, "segmentation": segmentation}


def _group_pairs(records: Sequence[Record], indices: list[int], annotations: list[Record], places: list[int]) -> Iterator[Pair]:
    """The pairs of one class in one image."""
    # argmax takes the first of equals: the order of the rows settles the ties.
    indices = sorted(indices, key=lambda index: -records[index]["score"])
    masks = [[item["segmentation"] for item in side] for side in ([records[index] for index in indices], annotations)]
    found = coco_mask.iou(masks[0], masks[1], [0] * len(places))
    for column, (annotation, place) in enumerate(zip(annotations, places, strict=True)):
        best = int(found[:, column].argmax())
        if found[best, column] >= LEAST_IOU:
            yield Pair(annotation["image_id"], annotation, place, indices[best])


def score_records(records: Sequence[Record], pairs: Sequence[Pair]) -> PairScores:
    """Scores of the masks that ``records`` hold at the pairs."""
    return score_masks((decode_mask(records[pair.record]["segmentation"]) for pair in pairs), pairs)


def score_masks(masks: Iterable[BoxMask], pairs: Sequence[Pair]) -> PairScores:
    """Scores of one mask for every pair, in one pass."""
    scores = np.zeros((len(pairs), len(METRICS)))
    for row, mask, pair in zip(scores, masks, pairs, strict=True):
        truth = pair.truth
        row[:] = (
            overlap(mask, truth).iou,
            boundary_overlap(mask, truth, BOUNDARY_RATIO).iou,
            boundary_counts(mask, truth, TOLERANCE).f,
        )
    return PairScores(*scores.T)


def check_aligned(before: Detections, after: Detections) -> None:
    """Raise a BPRError unless record i of both is the same detection (image and class)."""
    remedy = "pass the file that was refined and the one that came out of it"
    if len(before.records) != len(after.records):
        raise BPRError(f"{after.name}: expected the {len(before.records)} records of {before.name}, got {len(after.records)}; {remedy}")
    for index, (old, new) in enumerate(zip(before.records, after.records, strict=True)):
        for key in ("image_id", "category_id"):
            wanted, got = old.get(key), new.get(key)
            if wanted != got:
                raise BPRError(f"{after.name}: record {index}: expected {key} {wanted!r} of {before.name}, got {got!r}; {remedy}")


def compare(before: PairScores, after: PairScores, pairs: Sequence[Pair]) -> Comparison:
    """Mean changes with their intervals, and who won; there must be a pair."""
    ids = sorted({pair.image_id for pair in pairs}, key=lambda image_id: (isinstance(image_id, str), image_id))
    places = {image_id: place for place, image_id in enumerate(ids)}
    images = np.array([places[pair.image_id] for pair in pairs])
    changes = {}
    for name in METRICS:
        old, new = (Ratios.mean(getattr(side, name), images, len(ids)) for side in (before, after))
        changes[name] = Change(new.value - old.value, *interval(old, new))
    return Comparison(changes, shares(after.iou - before.iou))


def shares(change: np.ndarray) -> Shares:
    """Count (N,) changes of the mask IoU.

    >>> shares(np.array([0.2, 0.001, -0.001, -0.005, -0.02]))
    Shares(improved=0.2, unchanged=0.4, harmed=0.4, harmed_clearly=0.2)
    """
    improved, harmed = change > UNCHANGED, change < -UNCHANGED
    parts = improved, ~improved & ~harmed, harmed, change < -CLEARLY
    return Shares(*(float(part.mean()) for part in parts))
