"""Put refined patches back: the (weighted) mean probability where patches lie, the coarse mask elsewhere.

Legend: K patches, S window side (patch and padding), H W frame, h w box around mask and patches.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from bpr.compiled import kernels
from bpr.geometry.boxes import Box, at, enclosing, grow, intersect, is_empty
from bpr.geometry.masks import BoxMask
from bpr.geometry.once import once
from bpr.geometry.options import Blend, Leaning, PatchSpec
from bpr.geometry.patches import crop_window
from bpr.geometry.resizing import interpolate

EVEN: Leaning = (0.0, 0.0)
ABOVE_HALF = np.nextafter(np.float32(0.5), np.float32(1))


@dataclass(frozen=True, eq=False)
class Blended:
    """The patches of an instance, added up.

    The mean of P exceeds 1/2 where the weighted sum of P - 1/2 is positive, so no sum of weights is needed for that.

    >>> coarse = BoxMask.from_frame(np.eye(4, dtype=bool))
    >>> probabilities = np.full((1, 2, 2), 0.75, np.float32)
    >>> blended = Blended.of(coarse, np.array([[0, 0, 2, 2]]), probabilities, PatchSpec(), "mean")
    >>> blended.refined().to_frame().astype(int)
    array([[1, 1, 0, 0],
           [1, 1, 0, 0],
           [0, 0, 1, 0],
           [0, 0, 0, 1]])
    >>> blended.within((1, 1, 4, 2))
    array([[0.75, 0.  , 0.  ]], dtype=float32)

    Attributes:
        mask: the coarse mask.
        boxes: (K, 4) patch boxes.
        blend: how patches are weighted.
        box: around the mask and the patches.
        excess: (h, w) float32 weighted sum of P - 1/2.
        covered: (h, w) bool: where patches lie.
    """

    mask: BoxMask
    boxes: np.ndarray
    blend: Blend
    box: Box
    excess: np.ndarray
    covered: np.ndarray

    @classmethod
    def of(cls, mask: BoxMask, boxes: np.ndarray, probabilities: np.ndarray, spec: PatchSpec, blend: Blend) -> Blended:
        """Add the patches of an instance up.

        Args:
            mask: the coarse mask.
            boxes: (K, 4) patch boxes without padding, all of one size.
            probabilities: (K, S, S) float32 P(foreground); their outermost pixels, the padding, are left out.

        Raises:
            ValueError: not one square of probabilities for every box.
        """
        if len(boxes) and (probabilities.ndim != 3 or probabilities.shape[::2] != (len(boxes), probabilities.shape[1])):
            expected = f"one square for each of {len(boxes)} boxes"
            raise ValueError(f"probabilities: expected {expected}, got {probabilities.shape}")
        box = area_of(mask, boxes)
        excess = np.zeros((box[3] - box[1], box[2] - box[0]), np.float32)
        blended = cls(mask, boxes, blend, box, excess, np.zeros(excess.shape, bool))
        if len(boxes):
            as_cut = boxes[0, 2] - boxes[0, 0] == probabilities.shape[1] - 2 * spec.padding
            add = blended._add_squares if as_cut else blended._add_resized
            add(probabilities, spec)
        return blended

    @once
    def coarse(self) -> np.ndarray:
        """(h, w) bool: the coarse mask in ``box``."""
        return self.mask.window(self.box)

    @once
    def weights(self) -> np.ndarray:
        """(h, w) float32: the sum of the weights that the patches have on every pixel."""
        total = np.zeros(self.excess.shape, np.float32)
        for box in self.boxes.tolist():
            part = intersect(self.box, tuple(box))
            if not is_empty(part):
                total[at(part, self.box)] += _weights_in(box, part, self.blend)
        return total

    def near(self, margin: int) -> Blended:
        """The part in the box around the coarse and the refined mask, ``margin`` pixels more on each side, as far as there are."""
        either = self.coarse | self._foreground(self.excess)
        left, top, width, height = cv2.boundingRect(either.view(np.uint8))
        x0, y0, x1, y1 = part = grow((left, top, left + width, top + height), margin, self.excess.shape)
        box, place = (x0 + self.box[0], y0 + self.box[1], x1 + self.box[0], y1 + self.box[1]), at(part)
        return Blended(self.mask, self.boxes, self.blend, box, self.excess[place], self.covered[place])

    def refined(self, leaning: Leaning = EVEN) -> BoxMask:
        """The refined mask: mean P > 0.5 where patches lie, the coarse mask elsewhere, and everywhere if it would vanish."""
        if not len(self.boxes):
            return self.mask
        foreground = self._foreground(self._leaning(leaning))
        refined = BoxMask(foreground, self.box[0], self.box[1], self.mask.frame).trimmed()
        return refined if refined.pixels.size else self.mask

    def probability(self, leaning: Leaning = EVEN) -> np.ndarray:
        """(h, w) float32 in ``box``: the values of which those above 0.5 are the refined mask.

        It is the mean P of the patches on a pixel, with the leaning. Where no patch lies, and everywhere if the mask would
        vanish, it is the coarse mask's 0 or 1.
        """
        excess, coarse = self._leaning(leaning), self.coarse
        foreground = self._foreground(excess)
        if not foreground.any():
            return coarse.astype(np.float32)
        mean = 0.5 + excess / np.where(self.covered, self.weights, 1)
        # Rounding may turn a mean slightly above one half into one half: the mask decides which side it is on.
        mean = np.where(foreground, np.maximum(mean, ABOVE_HALF), np.minimum(mean, np.float32(0.5)))
        return np.where(self.covered, np.clip(mean, 0, 1), coarse).astype(np.float32)

    def within(self, box: Box, leaning: Leaning = EVEN) -> np.ndarray:
        """:meth:`probability` in another box."""
        result = self.mask.window(box).astype(np.float32)
        part = intersect(box, self.box)
        if not is_empty(part):
            result[at(part, box)] = self.probability(leaning)[at(part, self.box)]
        return result

    def _foreground(self, excess: np.ndarray) -> np.ndarray:
        """(h, w) bool: where patches lie, whether the excess is positive; the coarse mask elsewhere."""
        return (self.covered & (excess > 0)) | (self.coarse & ~self.covered)  # several times as fast as np.where

    def _leaning(self, leaning: Leaning) -> np.ndarray:
        """The excess with the leaning added."""
        if leaning == EVEN:
            return self.excess
        inside, outside = (np.float32(value) for value in leaning)
        return self.excess + np.where(self.coarse, inside, outside) * self.weights

    def _add_squares(self, probabilities: np.ndarray, spec: PatchSpec) -> None:
        """Patches that were cut as they are."""
        side, padding = int(self.boxes[0, 2] - self.boxes[0, 0]), spec.padding
        if compiled := kernels():
            corners = (self.boxes[:, :2] - self.box[:2]).astype(np.int64)
            answers, along = np.ascontiguousarray(probabilities, np.float32), _weights_along(side, self.blend)
            compiled.add_patches(self.excess, self.covered, corners, answers, padding, along)
            return
        weights = patch_weights(side, self.blend)
        centre = np.s_[:, padding : padding + side, padding : padding + side]
        surpluses = (probabilities[centre] - np.float32(0.5)) * weights
        for box, surplus in zip(self.boxes.tolist(), surpluses, strict=True):
            part = intersect(box, self.box)
            place = at(part, self.box)
            self.excess[place] += surplus[at(part, box)]
            self.covered[place] = True

    def _add_resized(self, probabilities: np.ndarray, spec: PatchSpec) -> None:
        """Patches of any side, their probabilities interpolated back.

        A patch changes a pixel only where one of the cells that it is interpolated from contradicts the mask that the
        network saw. Elsewhere network and mask agree, and the coarse mask, which was not resized, is the finer answer.
        So a network that returns the mask of every patch unchanged changes nothing, at any size.
        """
        centre = np.s_[spec.padding : spec.window - spec.padding, spec.padding : spec.window - spec.padding]
        for box, probability in zip(self.boxes.tolist(), probabilities, strict=True):
            inside = grow(box, 0, self.mask.frame)
            place = at(inside, self.box)
            contradicted = ((probability > 0.5) != crop_window(self.mask, box, spec))[centre]
            changes = interpolate(contradicted.astype(np.float32), box, inside) > 0
            coarse = self.mask.window(inside).astype(np.float32)
            answer = np.where(changes, interpolate(probability[centre], box, inside), coarse)
            self.excess[place] += (answer - np.float32(0.5)) * _weights_in(box, inside, self.blend)
            self.covered[place] = True


def area_of(mask: BoxMask, boxes: np.ndarray) -> Box:
    """The box around a mask and its (K, 4) patch boxes, cut at the frame."""
    return grow(enclosing(np.concatenate([boxes, [mask.box]])), 0, mask.frame) if len(boxes) else mask.box


@lru_cache(maxsize=64)
def patch_weights(side: int, blend: Blend) -> np.ndarray:
    """(side, side) float32, read-only: the weight of every pixel of a patch.

    >>> patch_weights(4, "centred")
    array([[0.25, 0.5 , 0.5 , 0.25],
           [0.5 , 1.  , 1.  , 0.5 ],
           [0.5 , 1.  , 1.  , 0.5 ],
           [0.25, 0.5 , 0.5 , 0.25]], dtype=float32)
    """
    weights = np.outer(_weights_along(side, blend), _weights_along(side, blend))
    weights.flags.writeable = False
    return weights


def _weights_along(side: int, blend: Blend) -> np.ndarray:
    """(side,) float32: the weights along one side of a patch."""
    to_border = np.minimum(np.arange(1, side + 1), np.arange(side, 0, -1)) / np.float32((side + 1) // 2)
    return (to_border if blend == "centred" else np.ones(side)).astype(np.float32)


def _weights_in(box: Box, part: Box, blend: Blend) -> np.ndarray:
    """The weights of the pixels in ``part`` of a patch, which may be far larger than its part in the frame."""
    along = _weights_along(box[2] - box[0], blend)
    rows, columns = at(part, box)
    return np.outer(along[rows], along[columns])
