"""Refine the masks of an image: cut every boundary patch, predict, put the patches back.

Legend: N instances of one image, H W image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bpr.geometry.masks import BoxMask
from bpr.geometry.patches import crop_patches, reassemble
from bpr.geometry.proposals import dense_boxes
from bpr.refinement.batching import CutImage, PredictedImage, counts_to_slices, predict_images
from bpr.refinement.predictor import Instance, PatchBatch, Predictor


class Refiner:
    """Refines masks with a predictor. It keeps no state between calls, so threads may share it.

    >>> from bpr.refinement.predictor import IdentityPredictor
    >>> image, masks = np.zeros((90, 120, 3), np.uint8), np.zeros((1, 90, 120), bool)
    >>> masks[0, 20:70, 30:90] = True
    >>> np.array_equal(Refiner(IdentityPredictor())(image, masks), masks)
    True
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def __call__(self, image: np.ndarray, masks: np.ndarray) -> np.ndarray:
        """Refine the masks of one image.

        Args:
            image: (H, W, 3) uint8 RGB.
            masks: (N, H, W) or (H, W); non-zero is foreground.

        Returns:
            bool masks of the same shape. A mask that would vanish stays as it was.

        Raises:
            ValueError: shapes or types that do not fit.
        """
        image, masks = np.asarray(image), np.asarray(masks)
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"image: expected (H, W, 3) uint8 RGB, got {image.shape} {image.dtype}")
        stack = masks[None] if masks.ndim == 2 else masks
        if stack.ndim != 3 or stack.shape[1:] != image.shape[:2]:
            raise ValueError(f"masks: expected (N, {image.shape[0]}, {image.shape[1]}) as the image, got {masks.shape}")
        cut = self.cut(image, [Instance(BoxMask.from_frame(mask), index) for index, mask in enumerate(stack)])
        refined = [self.put_back(predicted) for predicted in predict_images(self.predictor, [cut])]
        return np.array([mask.to_frame() for mask in refined[0]], bool).reshape(masks.shape)

    def cut(self, image: np.ndarray, instances: Sequence[Instance], token: Any = None) -> CutImage:
        """Cut the patches of all instances of an image, each inside its own box."""
        scheme = self.predictor.scheme
        boxes = [dense_boxes(instance.mask, scheme) for instance in instances]
        counts = [len(own) for own in boxes]
        patches = np.empty((sum(counts), scheme.window, scheme.window, scheme.channels), np.uint8)
        for instance, own, place in zip(instances, boxes, counts_to_slices(counts), strict=True):
            crop_patches(image, instance.mask, own, scheme, out=patches[place])
        owners = [instance for instance, count in zip(instances, counts, strict=True) for _ in range(count)]
        return CutImage(instances, counts, PatchBatch(patches, np.concatenate([np.empty((0, 4), np.int32), *boxes]), owners), token)

    def put_back(self, predicted: PredictedImage) -> list[BoxMask]:
        """The N refined masks of an image; a mask that would vanish stays as it was."""
        cut, padding = predicted.cut, self.predictor.scheme.padding
        refined = []
        for instance, own in zip(cut.instances, counts_to_slices(cut.counts), strict=True):
            mask = reassemble(instance.mask, cut.batch.boxes[own], predicted.probabilities[own], padding)
            refined.append(mask if mask.pixels.size else instance.mask)
        return refined
