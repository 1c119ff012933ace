"""Boundary AP (Boundary IoU, CVPR 2021): AP whose IoU is the smaller of mask and Boundary IoU; a crowd keeps its mask IoU.

Legend: D detections by score and G instances of one class in one image, T = 10 IoU thresholds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pycocotools.cocoeval import COCOeval

from bpr.evaluation.average_precision import silently

LEAST_IOU = 0.5
"""Of a match, at the lowest of the ten thresholds; a smaller IoU plays no part."""

BoundaryIou = Callable[[Sequence[tuple[int, int]]], np.ndarray]
"""(N,) Boundary IoU of N pairs of a record's and an annotation's place in their lists."""


def match_boundaries(masks: COCOeval, boundary_iou: BoundaryIou) -> COCOeval:
    """The detections of ``masks`` (:func:`match_detections`) matched anew, not yet accumulated.

    :func:`bpr.evaluation.precision_curves.precisions` gives the numbers.
    """
    return silently(_BoundaryEvaluation(masks, boundary_iou), "evaluate")


class _BoundaryEvaluation(COCOeval):
    """COCOeval that looks at boundaries where masks can match at all, and keeps the matching of masks elsewhere."""

    def __init__(self, masks: COCOeval, boundary_iou: BoundaryIou) -> None:
        super().__init__(masks.cocoGt, masks.cocoDt, "segm")
        self._mask_ious, self._boundary_iou = masks.ious, boundary_iou
        self._mask_matches = iter(masks.evalImgs)
        self._changed: set[tuple[Any, Any]] = set()

    def computeIoU(self, imgId: Any, catId: Any) -> Any:
        ious, truths = self._mask_ious[imgId, catId], self._gts[imgId, catId]
        if not len(ious) or not truths:
            return ious
        rows, columns = np.nonzero((ious >= LEAST_IOU) & ~np.array([item["iscrowd"] for item in truths], bool))
        if len(rows):
            found = sorted(self._dts[imgId, catId], key=lambda item: -item["score"])
            pairs = [(found[row]["id"] - 1, truths[column]["id"] - 1) for row, column in zip(rows, columns, strict=True)]
            ious = ious.copy()
            ious[rows, columns] = np.minimum(ious[rows, columns], self._boundary_iou(pairs))
            self._changed.add((imgId, catId))
        return ious

    def evaluateImg(self, imgId: Any, catId: Any, aRng: Any, maxDet: int) -> Any:
        known = next(self._mask_matches)
        if (imgId, catId) not in self._changed:
            return known
        place = {truth["id"]: index for index, truth in enumerate(self._gts[imgId, catId])}
        order = [place[number] for number in known["gtIds"]]
        crowd = [bool(self._gts[imgId, catId][index]["iscrowd"]) for index in order]
        ignored, ious = np.asarray(known["gtIgnore"], bool), self.ious[imgId, catId][:, order]
        matches = match(ious, ignored.tolist(), crowd, self.params.iouThrs.tolist())
        areas = np.array([self.cocoDt.anns[number]["area"] for number in known["dtIds"]])
        outside = (areas < aRng[0]) | (areas > aRng[1])
        matched = np.where(matches >= 0, np.array(known["gtIds"])[matches], 0)
        return {**known, "dtMatches": matched, "dtIgnore": np.where(matches >= 0, ignored[matches], outside)}


def match(ious: np.ndarray, ignored: Sequence[bool], crowd: Sequence[bool], thresholds: Sequence[float]) -> np.ndarray:
    """(T, D) index of the instance that each detection finds, -1 for none, as COCOeval matches.

    Args:
        ious: (D, G); instances that are ignored come last.
        ignored, crowd: of G instances; a crowd may be found by many.

    >>> match(np.array([[0.9, 0.6], [0.8, 0.0], [0.7, 0.7]]), [False, False], [False, False], [0.5, 0.75])
    array([[ 0, -1,  1],
           [ 0, -1, -1]])
    """
    options: dict[int, list[tuple[int, float]]] = {}
    for row, column in zip(*(side.tolist() for side in np.nonzero(ious >= min(thresholds))), strict=True):
        options.setdefault(row, []).append((column, float(ious[row, column])))
    matches = np.full((len(thresholds), len(ious)), -1)
    for found, threshold in zip(matches, thresholds, strict=True):
        taken = set[int]()
        for row, own in options.items():
            free = [(column, iou) for column, iou in own if column not in taken or crowd[column]]
            found[row] = _best(free, ignored, min(threshold, 1 - 1e-10))
            taken.add(int(found[row]))
    return matches


def _best(options: list[tuple[int, float]], ignored: Sequence[bool], least: float) -> int:
    """An instance that counts comes before one that is ignored; of equal IoUs the last one wins."""
    best = -1
    for column, iou in options:
        if best >= 0 and ignored[column] and not ignored[best]:
            break
        if iou >= least:
            best, least = column, iou
    return best
