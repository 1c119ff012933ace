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

    def computeIoU(self, imgId: Any, catId: Any) -> Any:  # noqa: N802, N803 (pycocotools' names)
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

    def evaluateImg(self, imgId: Any, catId: Any, aRng: Any, maxDet: int) -> Any:  # noqa: N802, N803
        known = next(self._mask_matches)
        if (imgId, catId) not in self._changed:
            return known
        place = {truth["id"]: index for index, truth in enumerate(self._gts[imgId, catId])}
        order = [place[number] for number in known["gtIds"]]
        crowd = np.array([bool(self._gts[imgId, catId][index]["iscrowd"]) for index in order])
        ignored, ious = np.asarray(known["gtIgnore"], bool), self.ious[imgId, catId][:, order]
        matches = np.stack([match(ious, ignored, crowd, threshold) for threshold in self.params.iouThrs])
        areas = np.array([self.cocoDt.anns[number]["area"] for number in known["dtIds"]])
        outside = (areas < aRng[0]) | (areas > aRng[1])
        matched = np.where(matches >= 0, np.array(known["gtIds"])[matches], 0)
        return {**known, "dtMatches": matched, "dtIgnore": np.where(matches >= 0, ignored[matches], outside)}


def match(ious: np.ndarray, ignored: np.ndarray, crowd: np.ndarray, threshold: float) -> np.ndarray:
    """(D,) index of the instance that each detection finds, -1 for none, as COCOeval matches.

    Args:
        ious: (D, G); instances that are ignored come last.
        ignored, crowd: (G,) bool; a crowd may be found by many.

    >>> match(np.array([[0.9, 0.6], [0.8, 0.0], [0.7, 0.7]]), np.zeros(2, bool), np.zeros(2, bool), 0.5)
    array([ 0, -1,  1])
    """
    threshold = min(threshold, 1 - 1e-10)
    matches = np.full(len(ious), -1)
    free = np.ones(len(ignored), bool)
    for row in np.flatnonzero((ious >= threshold).any(axis=1)):
        open_to = (free | crowd) & (ious[row] >= threshold)
        # An instance that counts comes before one that is ignored; of equal IoUs the last one wins.
        candidates = np.flatnonzero(open_to & ~ignored)
        candidates = candidates if len(candidates) else np.flatnonzero(open_to)
        if len(candidates):
            matches[row] = candidates[len(candidates) - 1 - ious[row, candidates[::-1]].argmax()]
            free[matches[row]] = False
    return matches
