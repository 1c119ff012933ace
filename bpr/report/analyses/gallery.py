"""The matched pairs with their masks and images, opened one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from bpr.errors import BPRError
from bpr.evaluation.comparison import Comparison, PairRow
from bpr.evaluation.matching import grouped
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask
from bpr.io.image_finder import ImageFinder
from bpr.io.images import read_framed

CACHED_IMAGES = 4


@dataclass(frozen=True, eq=False)
class View:
    """A matched pair: numbers, (H, W, 3) uint8 RGB image, masks, and the other annotated masks of the image."""

    row: PairRow
    image: np.ndarray
    coarse: BoxMask
    refined: BoxMask
    truth: BoxMask
    neighbours: list[BoxMask]


class Gallery:
    """The matched pairs of a comparison, with their images.

    Raises:
        BPRError: there is no pair.
    """

    def __init__(self, comparison: Comparison, images: ImageFinder) -> None:
        if not comparison.pairs:
            name = comparison.coarse.detections.name
            raise BPRError(f"{name}: expected detections that match the annotations (same class, IoU >= .5), got none")
        self.comparison, self.rows = comparison, comparison.rows
        annotations = enumerate(comparison.coarse.document["annotations"])
        self._annotations = grouped(annotations, lambda item: item[1]["image_id"])
        frames = {pair.image_id: tuple(pair.annotation["segmentation"]["size"]) for pair in comparison.pairs}
        self.image = lru_cache(CACHED_IMAGES)(lambda image_id: read_framed(images.path(image_id), frames[image_id]))

    def view(self, index: int) -> View:
        pair = self.comparison.pairs[index]
        others = [item for index, item in self._annotations[pair.image_id] if index != pair.annotation_index]
        neighbours = [decode_mask(item["segmentation"]) for item in others]
        return View(self.rows[index], self.image(pair.image_id), *self.comparison.masks(index), neighbours)

    def by_gain(self) -> Sequence[int]:
        """The indices of the pairs, the most harmed first; ties keep their order."""
        return sorted(range(len(self.rows)), key=lambda index: self.rows[index].gain)
