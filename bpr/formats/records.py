"""Records, whatever file they come from, and what a run asks of all of them at once: which image, which score."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from bpr.errors import BPRError, shown

Record = dict[str, Any]


class Columns(NamedTuple):
    """Of N records: images (N,) int32, counted in the order of their first record, and scores (N,) float64."""

    images: np.ndarray
    scores: np.ndarray


def columns(records: Iterable[Record]) -> Columns:
    """The columns of records that are drawn once and not kept.

    Ids are told apart as they are written: 1, 1.0 and "1" are three images. No score counts as 1; one that is no number
    as NaN, which is not at least anything.

    >>> columns([{"image_id": 7, "score": 0.5}, {"image_id": "7"}, {"image_id": 7, "score": None}])
    Columns(images=array([0, 1, 0], dtype=int32), scores=array([0.5, 1. , nan]))
    """
    numbers: dict[str, int] = {}
    images, scores = array("i"), array("d")
    for record in records:
        images.append(numbers.setdefault(repr(record["image_id"]), len(numbers)))
        scores.append(_score(record))
    return Columns(np.array(images, np.int32), np.array(scores, np.float64))


def _score(record: Record) -> float:
    try:
        return float(record.get("score", 1.0))
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def group(images: np.ndarray, asked: Sequence[int] | np.ndarray) -> Iterator[list[int]]:
    """The indices ``asked``, by image, images in the order of the first of theirs.

    >>> list(group(np.array([0, 1, 0, 2, 1]), [1, 2, 3, 4]))
    [[1, 4], [2], [3]]
    """
    asked = np.asarray(asked, np.int64)
    order = np.argsort(images[asked], kind="stable")
    starts = np.flatnonzero(np.diff(images[asked[order]], prepend=-1))
    stops = np.append(starts[1:], len(order))
    for image in np.argsort(order[starts]):
        yield asked[order[starts[image] : stops[image]]].tolist()


def check_record(record: Any, index: int, path: object) -> Record:
    """``record``, if it is one of COCO results.

    Raises:
        BPRError: it is no object with ``image_id`` and ``segmentation``.
    """
    if not isinstance(record, dict) or "image_id" not in record or "segmentation" not in record:
        raise BPRError(f"{path}: record {index}: expected an object with image_id and segmentation, got {shown(record)}")
    return record
