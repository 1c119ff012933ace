"""Boundary AP (Boundary IoU, CVPR 2021): AP whose IoU is the smaller of mask and Boundary IoU; a crowd keeps its mask IoU.

Legend: D detections by score and G instances of one class in one image, T = 10 IoU thresholds.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pycocotools.cocoeval import COCOeval

LEAST_IOU = 0.5
"""Of a match, at the lowest of the ten thresholds; a smaller IoU plays no part."""

BoundaryIou = Callable[[Sequence[tuple[int, int]]], np.ndarray]
"""(N,) Boundary IoU of N pairs of a record's and an annotation's place in their lists."""


def match_boundaries(masks: COCOeval, boundary_iou: BoundaryIou) -> COCOeval:
    """The detections of ``masks`` (:func:`match_detections`) matched anew, not accumulated.

    Boundaries are looked at where masks can match at all; classes and images without such a pair keep their matching.
    :func:`bpr.evaluation.precision_curves.precisions` gives the numbers.
    """
    boundaries, params = copy.copy(masks), masks.params
    boundaries.evalImgs = list(masks.evalImgs)
    images, areas = len(params.imgIds), len(params.areaRng)
    for k, category in enumerate(params.catIds):
        for i, image in enumerate(params.imgIds):
            ious = _lowered(masks, (image, category), boundary_iou)
            if ious is not None:
                for place in range((k * areas) * images + i, (k + 1) * areas * images, images):
                    boundaries.evalImgs[place] = _matched_anew(masks, masks.evalImgs[place], ious)
    return boundaries


def _lowered(masks: COCOeval, key: tuple[Any, Any], boundary_iou: BoundaryIou) -> np.ndarray | None:
    """(D, G) the smaller IoU of every pair, None where no pair of the class in the image can match."""
    ious, truths = masks.ious[key], masks._gts.get(key)
    if not truths or not len(ious):
        return None
    rows, columns = np.nonzero((ious >= LEAST_IOU) & ~np.array([item["iscrowd"] for item in truths], bool))
    if not len(rows):
        return None
    found = sorted(masks._dts[key], key=lambda item: -item["score"])
    pairs = [(found[row]["id"] - 1, truths[column]["id"] - 1) for row, column in zip(rows, columns, strict=True)]
    lowered = ious.copy()
    lowered[rows, columns] = np.minimum(ious[rows, columns], boundary_iou(pairs))
    return lowered


def _matched_anew(masks: COCOeval, known: dict[str, Any], ious: np.ndarray) -> dict[str, Any]:
    """What COCOeval says of one image, class and size, after a match by ``ious``."""
    place = {truth["id"]: index for index, truth in enumerate(masks._gts[known["image_id"], known["category_id"]])}
    order = [place[number] for number in known["gtIds"]]
    crowd = [bool(masks.cocoGt.anns[number]["iscrowd"]) for number in known["gtIds"]]
    ignored = np.asarray(known["gtIgnore"], bool)
    matches = match(ious[:, order], ignored.tolist(), crowd, masks.params.iouThrs.tolist())
    areas = np.array([masks.cocoDt.anns[number]["area"] for number in known["dtIds"]])
    outside = (areas < known["aRng"][0]) | (areas > known["aRng"][1])
    numbers = np.where(matches >= 0, np.array(known["gtIds"])[matches], 0)
    return {**known, "dtMatches": numbers, "dtIgnore": np.where(matches >= 0, ignored[matches], outside)}


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
