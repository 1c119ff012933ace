"""The content of a report: every mask before and after refinement, compared with the ground truth if there is one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bpr.errors import BadMask, BPRError, amount, shown
from bpr.evaluation.boundary_metrics import overlap
from bpr.evaluation.comparison import (
    PROTOCOLS,
    Comparison,
    PairRow,
    Protocol,
    Size,
    check_aligned,
    compare,
    size_of,
)
from bpr.evaluation.prepare import Detections, Document, left_out, prepare_annotations, prepare_detections
from bpr.geometry.boxes import Box, enclosing
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, frame_of
from bpr.io.image_finder import ImageFinder
from bpr.io.record_file import called
from bpr.limits import is_id
from bpr.refinement.decisions import Review
from bpr.refinement.verdict.model import Verdict


@dataclass(frozen=True, eq=False)
class Instance:
    """One mask before and after refinement. Without a ground truth, ``truth`` and ``row`` are None.

    Attributes:
        record: index in both files' records.
        verdict: of the run, where the refined record holds it.
    """

    record: int
    image_id: Any
    category: str
    score: float | None
    coarse: BoxMask
    refined: BoxMask
    verdict: Verdict | None = None
    truth: BoxMask | None = None
    row: PairRow | None = None

    @property
    def area(self) -> float:
        """In pixels: of the annotated object as its file states it, or without a ground truth of the coarse mask."""
        return self.row.area if self.row else self.coarse.area

    @property
    def size(self) -> Size:
        return size_of(self.area)

    @cached_property
    def agreement(self) -> float:
        """IoU of the coarse and the refined mask."""
        return overlap(self.coarse, self.refined).iou

    @property
    def area_change(self) -> float:
        """Change of the area as a share of the coarse mask's area; 0 if the coarse mask is empty."""
        return (self.refined.area - self.coarse.area) / self.coarse.area if self.coarse.area else 0.0

    @property
    def change(self) -> float:
        """The gain of IoU, or without a ground truth 1 - ``agreement``. The report sorts by it."""
        return self.row.gain if self.row else 1 - self.agreement

    @property
    def box(self) -> Box:
        """The smallest box around all masks; at least one of them is not empty."""
        masks = [self.coarse, self.refined, *([self.truth] if self.truth else [])]
        return enclosing(np.array([mask.box for mask in masks if mask.pixels.size]))


@dataclass(frozen=True, eq=False)
class Collection:
    """The instances of two results files.

    Attributes:
        records: how many records each file has.
        comparison: with the ground truth; None without one.
        problems: one line for each reason why some records or annotations are ignored or count as misses.
        review: for the decisions of a person; None where masks cannot be put back.
    """

    instances: list[Instance]
    records: int
    comparison: Comparison | None = None
    problems: Sequence[str] = ()
    review: Review | None = None


def collect_pairs(
    before: Detections, after: Detections, document: Document, name: str, protocol: Protocol = PROTOCOLS["coco"]
) -> Collection:
    """The annotated objects, each with the detection that was matched to it.

    Args:
        document: an annotation file.
        name: its name in error messages.

    Raises:
        BPRError: the files do not hold the same detections or do not fit the annotations; no detection fits an
        annotation.
    """
    prepared = prepare_annotations(document, name)
    coarse, refined = (prepare_detections(side.records, prepared, side.name) for side in (before, after))
    comparison = compare(coarse, refined, prepared, protocol)
    if not comparison.pairs:
        expected = "expected a detection of an annotated object"
        raise BPRError(f"{before.name}: {expected}, got none; leave --ann out to see what changed")
    instances = []
    for index, row in enumerate(comparison.rows):
        old, new, truth = comparison.masks(index)
        verdict = Verdict.from_key(refined.records[row.record].get("bpr"))
        instances.append(Instance(row.record, row.image_id, row.category, row.score, old, new, verdict, truth, row))
    problems = {
        name: left_out(document),
        coarse.name: [*before.problems, *coarse.problems],
        refined.name: [*after.problems, *refined.problems],
    }
    lines = [f"{file}: {line}" for file, found in problems.items() for line in found]
    return Collection(instances, len(before.records), comparison, lines)


def collect_changes(
    before: Detections, after: Detections, images: ImageFinder, names: Mapping[Any, str]
) -> Collection:
    """Every record whose masks can be read and are not both empty, without a ground truth.

    Args:
        images: they tell the size of polygons where both masks are some; an RLE holds its size.
        names: of the classes by category id.

    Raises:
        BPRError: the files do not hold the same detections; no mask can be shown.
    """
    check_aligned(before, after)
    instances, unreadable = [], []
    for index, (old, new) in enumerate(zip(before.records, after.records, strict=True)):
        both = [record["segmentation"] for record in (old, new)]
        frames = [frame for frame in map(frame_of, both) if frame]
        try:
            if not is_id(old["image_id"]):
                raise BadMask(f"image_id: expected a whole number or a string, got {shown(old['image_id'])}")
            frame = frames[0] if frames else images.frame(old["image_id"])
            coarse, refined = (decode_mask(segmentation, frame) for segmentation in both)
        except BadMask as error:
            unreadable.append(f"{called(old, index)}: {error}")
            continue
        if coarse.frame != refined.frame or not (coarse.pixels.size or refined.pixels.size):
            continue
        score = old.get("score")  # without a ground truth, a record needs no score
        known_score = float(score) if isinstance(score, (int, float)) and math.isfinite(score) else None
        name = _class_name(old.get("category_id"), names)
        verdict = Verdict.from_key(new.get("bpr"))
        instances.append(Instance(index, old["image_id"], name, known_score, coarse, refined, verdict))
    if not instances:
        raise BPRError(f"{after.name}: expected masks to show, got none that can be read and is not empty")
    problems = [f"{side.name}: {line}" for side in (before, after) for line in side.problems]
    if unreadable:
        count = amount(len(unreadable), "record")
        problems.append(f"not shown: {count}, because they cannot be read (first: {unreadable[0]})")
    return Collection(instances, len(before.records), problems=problems)


def _class_name(category_id: Any, names: Mapping[Any, str]) -> str:
    if category_id is None:
        return "object"
    known = names.get(category_id) if is_id(category_id) else None
    return known or (category_id if isinstance(category_id, str) else f"class {category_id}")
