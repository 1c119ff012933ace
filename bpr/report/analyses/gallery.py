"""Matched pairs with their masks and pictures, opened one at a time: what the analyses look at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from bpr.errors import BPRError
from bpr.evaluation.inputs import Detections, Document
from bpr.evaluation.matched_pairs import check_aligned, match_pairs
from bpr.evaluation.per_instance import InstanceRow, rows_of_pairs
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask
from bpr.io.images import ImageFinder, read_image

OPEN_IMAGES = 4


@dataclass(frozen=True, eq=False)
class View:
    """One pair: its image, (H, W, 3) uint8 RGB, its three masks, and the other annotated objects of the image."""

    row: InstanceRow
    image: np.ndarray
    coarse: BoxMask
    refined: BoxMask
    truth: BoxMask
    neighbours: list[BoxMask]


class Gallery:
    """The matched pairs of a coarse and a refined file, in the order of :func:`match_pairs`.

    Raises:
        BPRError: files that do not belong together; no detection fits an annotation.
    """

    def __init__(self, before: Detections, after: Detections, document: Document, images: ImageFinder) -> None:
        check_aligned(before, after)
        self.before, self.after, self.document = before, after, document
        self.pairs = match_pairs(before.records, document)
        if not self.pairs:
            raise BPRError(f"{before.name}: expected detections that match the annotations (same class, IoU >= .5), got none")
        self.rows: list[InstanceRow] = rows_of_pairs(self.pairs, before.records, after.records, document)
        self._annotations: dict[Any, list[int]] = defaultdict(list)
        for place, annotation in enumerate(document["annotations"]):
            self._annotations[annotation["image_id"]].append(place)
        self.image = lru_cache(OPEN_IMAGES)(lambda image_id: read_image(images.path(image_id)))

    def view(self, index: int) -> View:
        """Pair ``index`` with all that can be seen of it."""
        pair = self.pairs[index]
        others = [place for place in self._annotations[pair.image_id] if place != pair.place]
        masks = [decode_mask(side.records[pair.record]["segmentation"]) for side in (self.before, self.after)]
        neighbours = [decode_mask(self.document["annotations"][place]["segmentation"]) for place in others]
        return View(self.rows[index], self.image(pair.image_id), masks[0], masks[1], pair.truth, neighbours)

    def by_gain(self) -> Sequence[int]:
        """The pairs, the most harmed first; of equal ones the earlier."""
        return sorted(range(len(self.rows)), key=lambda index: self.rows[index].gain)
