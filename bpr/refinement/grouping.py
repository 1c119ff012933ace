"""The records of a results file, grouped by image, and an estimate of the work for each image.

Legend: N records that are to be refined, I images.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bpr.formats.coco import Record
from bpr.refinement.choice import EVERYTHING, Choice

IMAGE_COST = 100.0
"""The cost of reading an image, in the unit of :func:`boundary_cost`. Images without a readable mask are read too."""


@dataclass(frozen=True, eq=False)
class RecordsByImage:
    """The indices of the records of every image, as flat arrays, which take a few bytes a record.

    Attributes:
        indices: (N,) int64 record indices, image by image; those of an image are in input order.
        ends: (I,) int64: where the indices of each image end; images are in the order of their first record.
        costs: (I,) float64: the estimated work of each image.
        records: the number of all records, also of those that are not to be refined.
    """

    indices: np.ndarray
    ends: np.ndarray
    costs: np.ndarray
    records: int

    def __len__(self) -> int:
        """The number of images."""
        return len(self.ends)

    def __getitem__(self, image: int) -> list[int]:
        """The record indices of an image."""
        first = int(self.ends[image - 1]) if image else 0
        indices: list[int] = self.indices[first : int(self.ends[image])].tolist()
        return indices

    def __iter__(self) -> Iterator[list[int]]:
        return map(self.__getitem__, range(len(self)))

    def records_of(self, images: np.ndarray) -> int:
        """How many records that are to be refined the images (I,) bool have."""
        return int(np.diff(self.ends, prepend=0)[images].sum())

    def images_where(self, finished: np.ndarray) -> np.ndarray:
        """(I,) bool: the images whose records are all ``finished`` (records,) bool."""
        starts = np.concatenate([[0], self.ends[:-1]])[: len(self)].astype(np.int64)
        return np.logical_and.reduceat(finished[self.indices], starts) if len(self) else np.zeros(0, bool)


def group_by_image(records: Sequence[Record], choice: Choice = EVERYTHING) -> RecordsByImage:
    """Group the chosen records by image, in one pass over all of them.

    Raises:
        BPRError: as for :meth:`Choice.includes`.
    """
    images: dict[str, int] = {}
    indices, owners, costs = array("q"), array("q"), array("d")
    count = 0
    for count, record in enumerate(records, start=1):
        if not choice.includes(record, count - 1):
            continue
        image = images.setdefault(repr(record["image_id"]), len(images))
        if image == len(costs):
            costs.append(IMAGE_COST)
        costs[image] += boundary_cost(record["segmentation"])
        indices.append(count - 1)
        owners.append(image)
    order = np.argsort(np.asarray(owners, np.int64), kind="stable")
    ends = np.cumsum(np.bincount(np.asarray(owners, np.int64), minlength=len(images)))
    return RecordsByImage(np.asarray(indices, np.int64)[order], ends, np.asarray(costs, np.float64), count)


def boundary_cost(segmentation: Any) -> float:
    """A number roughly proportional to the length of a mask's boundary, found without decoding the mask.

    An RLE has two runs in every column that the mask crosses; a polygon has a point wherever the boundary turns. An
    unreadable mask costs 0.

    >>> boundary_cost({"size": [4, 4], "counts": "52203"}), boundary_cost([[0, 0, 4, 0, 4, 3]]), boundary_cost(None)
    (5.0, 6.0, 0.0)
    """
    parts = [segmentation.get("counts")] if isinstance(segmentation, dict) else segmentation
    if not isinstance(parts, list):
        return 0.0
    return float(sum(len(part) for part in parts if isinstance(part, (str, bytes, list))))
