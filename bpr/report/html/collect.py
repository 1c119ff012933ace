"""What a report is about: every mask before and after, and how well both agree with the truth where there is one."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bpr.errors import BadMask, BPRError
from bpr.evaluation.average_precision import average_precision
from bpr.evaluation.boundary_metrics import overlap
from bpr.evaluation.inputs import Detections, Document, Frames, check_annotations, check_detections, unlisted
from bpr.evaluation.matched_pairs import Comparison, Pair, PairScores, check_aligned, compare, match_pairs, score_masks
from bpr.evaluation.per_instance import InstanceRow, Size, rows_of, size_of
from bpr.formats.coco import Record
from bpr.geometry.boxes import Box, enclosing
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask


@dataclass(frozen=True, eq=False)
class Instance:
    """One mask before and after; ``truth`` and ``row``, its scores, are None where nobody knows them."""

    image_id: Any
    category: str
    score: float | None
    before: BoxMask
    after: BoxMask
    truth: BoxMask | None = None
    row: InstanceRow | None = None

    @property
    def area(self) -> float:
        """In pixels: of the object, as its file states it, where it is known; of the coarse mask otherwise."""
        return self.row.area if self.row else self.before.area

    @property
    def size(self) -> Size:
        return size_of(self.area)

    @cached_property
    def agreement(self) -> float:
        """IoU of before and after."""
        return overlap(self.before, self.after).iou

    @property
    def area_change(self) -> float:
        """Area won (or lost) as a share of the coarse mask's; of a mask that was empty, 0."""
        return (self.after.area - self.before.area) / self.before.area if self.before.area else 0.0

    @property
    def change(self) -> float:
        """What the report sorts by: the gain of IoU, or without a truth 1 - ``agreement``."""
        return self.row.gain if self.row else 1 - self.agreement

    @property
    def box(self) -> Box:
        """The smallest box around all its masks; one of them has a pixel."""
        masks = [self.before, self.after, *([self.truth] if self.truth else [])]
        return enclosing(np.array([mask.box for mask in masks if mask.pixels.size]))


@dataclass(frozen=True, eq=False)
class Precision:
    """COCO mask AP of both files, by name."""

    before: dict[str, float]
    after: dict[str, float]


@dataclass(frozen=True, eq=False)
class Collection:
    """The instances of two results files of ``records`` records each.

    ``comparison``, ``scores`` and ``precision`` compare them with the truth; all are None where there is none. ``problems``
    says, one line each, what counts for less than it was meant to.
    """

    instances: list[Instance]
    records: int
    comparison: Comparison | None = None
    scores: tuple[PairScores, PairScores] | None = None
    precision: Precision | None = None
    problems: Sequence[str] = ()


def collect_pairs(before: Detections, after: Detections, document: Document, name: str) -> Collection:
    """The annotated objects, each with the detection that found it (:mod:`bpr.evaluation.matched_pairs`).

    Args:
        name: what to call the annotation file in an error.

    Raises:
        BPRError: the files are not of one run or do not fit the annotations; no object was found.
    """
    check_annotations(document, name)
    coarse, refined = (check_detections(side.records, document, side.name) for side in (before, after))
    check_aligned(coarse, refined)
    pairs = match_pairs(coarse.records, document)
    if not pairs:
        raise BPRError(f"{before.name}: expected a detection of an annotated object, got none; leave --ann out to see what changed")
    masks = [[decode_mask(side.records[pair.record]["segmentation"]) for pair in pairs] for side in (coarse, refined)]
    scores = score_masks(masks[0], pairs), score_masks(masks[1], pairs)
    rows = rows_of(pairs, *scores, coarse.records, document)
    instances = [_judged(*parts) for parts in zip(pairs, rows, *masks, strict=True)]
    precision = Precision(*(average_precision(side.records, document) for side in (coarse, refined)))
    found = {name: unlisted(document["annotations"], document, "annotations"), **{side.name: side.problems for side in (coarse, refined)}}
    problems = [f"{where}: {problem}" for where, lines in found.items() for problem in lines]
    return Collection(instances, len(before.records), compare(*scores, pairs), scores, precision, problems)


def collect_changes(before: Detections, after: Detections, frames: Frames, names: dict[Any, str]) -> Collection:
    """Every record whose masks can be read and are not empty, without a truth.

    Args:
        frames: (H, W) by image id, which polygons need; an RLE knows its own.
        names: of classes, by category id.

    Raises:
        BPRError: the files are not of one run; no mask can be shown.
    """
    check_aligned(before, after)
    instances = list(_readable(before, after, frames, names))
    if not instances:
        raise BPRError(f"{after.name}: expected masks to show, got none that can be read and is not empty")
    return Collection(instances, len(before.records))


def _judged(pair: Pair, row: InstanceRow, before: BoxMask, after: BoxMask) -> Instance:
    return Instance(row.image_id, row.category, row.score, before, after, pair.truth, row)


def _readable(before: Detections, after: Detections, frames: Frames, names: dict[Any, str]) -> Iterator[Instance]:
    for old, new in zip(before.records, after.records, strict=True):
        try:
            frame = frames.get(old["image_id"])
            coarse, refined = (decode_mask(record["segmentation"], frame) for record in (old, new))
        except (BadMask, TypeError):  # a TypeError: the image_id cannot be a key
            continue
        if coarse.frame == refined.frame and (coarse.pixels.size or refined.pixels.size):
            yield Instance(old["image_id"], _class_name(old.get("category_id"), names), _score(old), coarse, refined)


def _class_name(category_id: Any, names: dict[Any, str]) -> str:
    if category_id is None:
        return "object"
    return names.get(category_id, f"class {category_id}") if isinstance(category_id, Hashable) else f"class {category_id}"


def _score(record: Record) -> float | None:
    """A score that is a number; results without a truth need none."""
    score = record.get("score")
    return float(score) if isinstance(score, (int, float)) and math.isfinite(score) else None
