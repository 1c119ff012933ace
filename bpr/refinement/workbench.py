"""Where patches are cut and put back: in memory with NumPy, or where the predictor says.

Legend: K patches of an image, S window side, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bpr.geometry.masks import BoxMask
from bpr.geometry.options import Blend, Leaning, PatchSpec
from bpr.geometry.patches import crop_patches
from bpr.geometry.reassembly import Blended


class Workbench:
    """Cuts the patches of an image in memory, and puts them back.

    A predictor may bring one that works elsewhere; its arrays have shapes and slices as those of NumPy do.
    """

    def cut(self, image: np.ndarray, masks: Sequence[BoxMask], boxes: Sequence[np.ndarray], spec: PatchSpec) -> Any:
        """(K, S, S, C) uint8: the patches of all instances, one after the other.

        Args:
            image: (H, W, 3) uint8 RGB.
            boxes: the (., 4) patch boxes of every mask.
        """
        patches = np.empty((sum(map(len, boxes)), spec.window, spec.window, spec.channels), np.uint8)
        for mask, those, part in zip(masks, boxes, counts_to_slices(list(map(len, boxes))), strict=True):
            crop_patches(image, mask, those, spec, out=patches[part])
        return patches

    def unanswered(self, count: int, side: int) -> Any:
        """(count, side, side) float32 for probabilities, of any value."""
        return np.empty((count, side, side), np.float32)

    def joined(self, patches: Sequence[Any]) -> Any:
        """Patches of several images as one array."""
        return np.concatenate(patches)

    def blended(
        self,
        masks: Sequence[BoxMask],
        boxes: Sequence[np.ndarray],
        probabilities: Any,
        spec: PatchSpec,
        blend: Blend,
        leaning: Leaning | None,
    ) -> list[Blended]:
        """The patches of every instance, added up.

        Args:
            probabilities: (K, S, S) float32, in the order of the boxes.
            leaning: the one with which every mask will be refined; None: it is decided later.
        """
        parts = zip(masks, boxes, counts_to_slices(list(map(len, boxes))), strict=True)
        return [Blended.of(mask, those, probabilities[part], spec, blend) for mask, those, part in parts]

    def in_memory(self, array: Any) -> np.ndarray:
        """The same array in NumPy."""
        return array


IN_MEMORY = Workbench()


def workbench_of(predictor: object) -> Workbench:
    """The one that the predictor brings as its ``workbench``, else the one in memory."""
    workbench: Workbench = getattr(predictor, "workbench", IN_MEMORY)
    return workbench


def counts_to_slices(counts: Sequence[int]) -> list[slice]:
    """Where the patches of every instance lie.

    >>> counts_to_slices([2, 0, 3])
    [slice(0, 2, None), slice(2, 2, None), slice(2, 5, None)]
    """
    ends = np.cumsum(counts).tolist()
    return [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]
