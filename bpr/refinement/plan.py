"""What a run has to do: which records belong to which image, and about how much work each image is.

Legend: N records that are to be refined, I images.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bpr.errors import BPRError, shown
from bpr.formats.coco import Record
from bpr.limits import is_score

IMAGE_COST = 100.0
"""What an image costs beside its boundaries, in their unit: one without a readable mask is read all the same."""


@dataclass(frozen=True, eq=False)
class Plan:
    """Records by image, as arrays: some bytes a record, however many there are.

    Attributes:
        indices: (N,) int64 record indices, image by image, those of an image in their order.
        ends: (I,) int64 where an image's indices end; images are in the order of their first record.
        costs: (I,) float64 estimated work of an image, in a unit of its own.
        records: how many there are, with those that are not to be refined.
    """

    indices: np.ndarray
    ends: np.ndarray
    costs: np.ndarray
    records: int

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, image: int) -> list[int]:
        """The record indices of an image."""
        first = int(self.ends[image - 1]) if image else 0
        own: list[int] = self.indices[first : int(self.ends[image])].tolist()
        return own

    def __iter__(self) -> Iterator[list[int]]:
        return map(self.__getitem__, range(len(self)))

    def records_of(self, images: np.ndarray) -> int:
        """How many records the images (I,) bool have that are to be refined."""
        return int(np.diff(self.ends, prepend=0)[images].sum())

    def images_where(self, held: np.ndarray) -> np.ndarray:
        """(I,) bool: the images all of whose records ``held`` (records,) names."""
        starts = np.concatenate([[0], self.ends[:-1]])[: len(self)].astype(np.int64)
        return np.logical_and.reduceat(held[self.indices], starts) if len(self) else np.zeros(0, bool)


def plan_images(records: Sequence[Record], min_score: float | None = None) -> Plan:
    """Look at every record once.

    Args:
        min_score: records of a lower score are left out; None takes all.

    Raises:
        BPRError: a score that is no number, where ``min_score`` asks for one.
    """
    images: dict[str, int] = {}
    asked, owners, costs = array("q"), array("q"), array("d")
    count = 0
    for count, record in enumerate(records, start=1):
        if min_score is not None and _score(record, count - 1) < min_score:
            continue
        image = images.setdefault(repr(record["image_id"]), len(images))
        if image == len(costs):
            costs.append(IMAGE_COST)
        costs[image] += boundary_cost(record["segmentation"])
        asked.append(count - 1)
        owners.append(image)
    order = np.argsort(np.asarray(owners, np.int64), kind="stable")
    ends = np.cumsum(np.bincount(np.asarray(owners, np.int64), minlength=len(images)))
    return Plan(np.asarray(asked, np.int64)[order], ends, np.asarray(costs, np.float64), count)


def boundary_cost(segmentation: Any) -> float:
    """About proportional to the length of a mask's boundary, found without decoding the mask.

    An RLE has two runs in every column that the mask crosses, a polygon a point wherever the boundary turns. What
    cannot be read costs nothing.

    >>> boundary_cost({"size": [4, 4], "counts": "52203"}), boundary_cost([[0, 0, 4, 0, 4, 3]]), boundary_cost(None)
    (5.0, 6.0, 0.0)
    """
    parts = [segmentation.get("counts")] if isinstance(segmentation, dict) else segmentation
    return float(sum(len(part) for part in parts if isinstance(part, (str, bytes, list)))) if isinstance(parts, list) else 0.0


def _score(record: Record, index: int) -> float:
    score = record.get("score", 1.0)
    if not is_score(score):
        raise BPRError(f"record {index}: expected a score that is a number, for --min-score, got {shown(score)}; mend it or leave it out")
    return score
