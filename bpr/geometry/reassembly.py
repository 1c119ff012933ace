"""Put refined patches back: the mean probability where patches lie, the coarse mask elsewhere.

Legend: K patches, S window side (patch and padding), H W frame, h w box around mask and patches.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bpr.geometry.boxes import Box, enclosing, grow, intersect
from bpr.geometry.masks import BoxMask
from bpr.geometry.patches import crop_window
from bpr.geometry.resized import interpolate
from bpr.geometry.scheme import PatchScheme

DEFAULT = PatchScheme()
ABOVE_HALF = np.nextafter(np.float32(0.5), np.float32(1))
UNSURE = np.float32(0.3)
"""A mean P this close to one half is unsure: .2 to .8."""


def reassemble(mask: BoxMask, boxes: np.ndarray, probabilities: np.ndarray, scheme: PatchScheme = DEFAULT) -> BoxMask:
    """The refined mask: mean probability > 0.5 where patches lie, the coarse mask elsewhere.

    Args:
        mask: the coarse mask.
        boxes: (K, 4) patch boxes without padding.
        probabilities: (K, S, S) float32 P(foreground); their outermost pixels, the scheme's padding, are left out.

    >>> coarse = BoxMask.from_frame(np.eye(4, dtype=bool))
    >>> refined = reassemble(coarse, np.array([[0, 0, 2, 2]]), np.full((1, 2, 2), 0.9, np.float32))
    >>> refined.to_frame().astype(int)
    array([[1, 1, 0, 0],
           [1, 1, 0, 0],
           [0, 0, 1, 0],
           [0, 0, 0, 1]])
    """
    return _blend(mask, boxes, probabilities, scheme).refined() if len(boxes) else mask


def put_back(mask: BoxMask, boxes: np.ndarray, probabilities: np.ndarray, scheme: PatchScheme) -> BoxMask:
    """What :func:`reassemble` gives; a mask that would vanish stays as it was."""
    refined = reassemble(mask, boxes, probabilities, scheme)
    return refined if refined.pixels.size else mask


def unsureness(mask: BoxMask, boxes: np.ndarray, probabilities: np.ndarray, scheme: PatchScheme) -> float:
    """How unsure the network was of an instance for its size: unsure pixels over the square root of the refined mask's area.

    An instance that no patch lies on, or nothing is left of, is unsure without bound.

    >>> mask, boxes, scheme = BoxMask(np.ones((5, 10), bool), 0, 0, (10, 10)), np.array([[0, 0, 10, 10]]), PatchScheme(side=10)
    >>> probabilities = np.full((1, 10, 10), 0.9, np.float32)
    >>> probabilities[0, :2] = 0.6
    >>> unsureness(mask, boxes, probabilities, scheme)  # 20 pixels of 100
    2.0
    """
    if not len(boxes):
        return math.inf
    blend = _blend(mask, boxes, probabilities, scheme)
    unsure = np.count_nonzero(np.abs(blend.excess) < UNSURE * _times_covered(boxes, blend.box))
    area = np.count_nonzero(blend.foreground())
    return unsure / math.sqrt(area) if area else math.inf


def mean_probability(mask: BoxMask, boxes: np.ndarray, probabilities: np.ndarray, scheme: PatchScheme, box: Box) -> np.ndarray:
    """(h, w) float32 in ``box``: what :func:`put_back` thresholds. P > 0.5 is the refined mask.

    The mean P of the patches on a pixel; the coarse mask's 0 or 1 where none lies, and everywhere if the mask would vanish.

    >>> mask, scheme = BoxMask.from_frame(np.eye(12, dtype=bool)), PatchScheme(side=10)
    >>> mean_probability(mask, np.array([[0, 0, 10, 10]]), np.full((1, 10, 10), 0.75, np.float32), scheme, (8, 9, 12, 10))
    array([[0.75, 0.75, 0.  , 0.  ]], dtype=float32)
    """
    believed = mask.window(box).astype(np.float32)
    blend = _blend(mask, boxes, probabilities, scheme) if len(boxes) else None
    if blend is None or not blend.foreground().any():
        return believed
    left, top, right, bottom = part = intersect(box, blend.box)
    if left < right and top < bottom:
        seen = np.s_[top - blend.box[1] : bottom - blend.box[1], left - blend.box[0] : right - blend.box[0]]
        mean = 0.5 + blend.excess[seen] / np.maximum(_times_covered(boxes, part), 1)
        # Rounding may pull a mean that is barely over one half onto it: the mask decides on which side it stays.
        sided = np.where(blend.foreground()[seen], np.maximum(mean, ABOVE_HALF), np.minimum(mean, np.float32(0.5)))
        place = np.s_[top - box[1] : bottom - box[1], left - box[0] : right - box[0]]
        believed[place] = np.where(blend.covered[seen], sided, believed[place])
    return believed


@dataclass(frozen=True, eq=False)
class _Blend:
    """What patches say about ``box``: ``excess`` (h, w) float32 sum of P - 1/2, ``covered`` (h, w) bool where they lie.

    The mean of P exceeds 1/2 where the sum of P - 1/2 is positive: no count of patches is needed.
    """

    mask: BoxMask
    box: Box
    excess: np.ndarray
    covered: np.ndarray

    def foreground(self) -> np.ndarray:
        """(h, w) bool."""
        return np.where(self.covered, self.excess > 0, self.mask.window(self.box))

    def refined(self) -> BoxMask:
        return BoxMask(self.foreground(), self.box[0], self.box[1], self.mask.frame).trimmed()


def _blend(mask: BoxMask, boxes: np.ndarray, probabilities: np.ndarray, scheme: PatchScheme) -> _Blend:
    as_cut = boxes[0, 2] - boxes[0, 0] == probabilities.shape[1] - 2 * scheme.padding
    return (_blend_squares if as_cut else _blend_resized)(mask, boxes, probabilities, scheme)


def _blend_squares(mask: BoxMask, boxes: np.ndarray, probabilities: np.ndarray, scheme: PatchScheme) -> _Blend:
    left, top, right, bottom = box = grow(enclosing(np.concatenate([boxes, [mask.box]])), 0, mask.frame)
    excess = np.zeros((bottom - top, right - left), np.float32)
    covered = np.zeros(excess.shape, bool)
    padding = scheme.padding
    for (x0, y0, x1, y1), surplus in zip(boxes.tolist(), probabilities - np.float32(0.5), strict=True):
        x1, y1 = min(x1, right), min(y1, bottom)
        place = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        excess[place] += surplus[padding : padding + y1 - y0, padding : padding + x1 - x0]
        covered[place] = True
    return _Blend(mask, box, excess, covered)


def _blend_resized(mask: BoxMask, boxes: np.ndarray, probabilities: np.ndarray, scheme: PatchScheme) -> _Blend:
    """Squares of any side, their (S, S) probabilities interpolated back.

    A patch speaks only where one of the cells that a pixel is interpolated from contradicts the mask that the network
    saw. Elsewhere it has agreed, and the coarse mask, which was not resized, is the finer answer: believing every patch
    changes nothing, at any size.
    """
    left, top, right, bottom = frame = grow(enclosing(np.concatenate([boxes, [mask.box]])), 0, mask.frame)
    excess = np.zeros((bottom - top, right - left), np.float32)
    covered = np.zeros(excess.shape, bool)
    centre = np.s_[scheme.padding : scheme.window - scheme.padding, scheme.padding : scheme.window - scheme.padding]
    for box, probability in zip(boxes.tolist(), probabilities, strict=True):
        x0, y0, x1, y1 = inside = grow(box, 0, mask.frame)
        place = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        contradicted = ((probability > 0.5) != crop_window(mask, box, scheme))[centre]
        speaks = interpolate(contradicted.astype(np.float32), box, inside) > 0
        coarse = mask.window(inside).astype(np.float32)
        excess[place] += np.where(speaks, interpolate(probability[centre], box, inside), coarse) - np.float32(0.5)
        covered[place] = True
    return _Blend(mask, frame, excess, covered)


def _times_covered(boxes: np.ndarray, area: Box) -> np.ndarray:
    """(h, w) int32: how many patches lie on every pixel of ``area``."""
    left, top, right, bottom = area
    counts = np.zeros((bottom - top, right - left), np.int32)
    for x0, y0, x1, y1 in boxes.tolist():
        counts[max(y0 - top, 0) : max(y1 - top, 0), max(x0 - left, 0) : max(x1 - left, 0)] += 1
    return counts
