"""Put refined patches back: the (weighted) mean probability where patches lie, the coarse mask elsewhere.

Legend: K patches, S window side (patch and padding), H W frame, h w box around mask and patches.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from bpr.compiled import kernels
from bpr.geometry.boxes import Box, enclosing, grow, intersect
from bpr.geometry.masks import BoxMask
from bpr.geometry.patches import crop_window
from bpr.geometry.resized import interpolate
from bpr.geometry.scheme import Blend, PatchScheme

DEFAULT = PatchScheme()
ABOVE_HALF = np.nextafter(np.float32(0.5), np.float32(1))


def reassemble(mask: BoxMask, boxes: np.ndarray, probabilities: np.ndarray, scheme: PatchScheme = DEFAULT) -> BoxMask:
    """The refined mask: mean probability > 0.5 where patches lie, the coarse mask elsewhere.

    Args:
        mask: the coarse mask.
        boxes: (K, 4) patch boxes without padding.
        probabilities: (K, S, S) float32 P(foreground); their outermost pixels, the scheme's padding, are left out.

    Raises:
        ValueError: not a square of probabilities for every box.

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


def mean_probability(mask: BoxMask, boxes: np.ndarray, probabilities: np.ndarray, scheme: PatchScheme, box: Box) -> np.ndarray:
    """(h, w) float32 in ``box``: what :func:`put_back` thresholds. P > 0.5 is the refined mask.

    The mean P of the patches on a pixel, moved by the scheme's caution towards the coarse mask; the coarse mask's 0 or 1 where none
    lies, and everywhere if the mask would vanish.

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
        mean = 0.5 + blend.excess[seen] / np.where(blend.covered[seen], _weight_on(boxes, part, scheme), 1)
        # Rounding may pull a mean that is barely over one half onto it: the mask decides on which side it stays.
        sided = np.where(blend.foreground()[seen], np.maximum(mean, ABOVE_HALF), np.minimum(mean, np.float32(0.5)))
        place = np.s_[top - box[1] : bottom - box[1], left - box[0] : right - box[0]]
        believed[place] = np.where(blend.covered[seen], np.clip(sided, 0, 1), believed[place])
    return believed


@dataclass(frozen=True, eq=False)
class _Blend:
    """What patches say about ``box``: ``excess`` (h, w) float32 weighted sum of P - 1/2 and of the scheme's caution, ``covered``
    (h, w) bool where they lie.

    The mean of P exceeds 1/2 where the sum of P - 1/2 is positive: no sum of weights is needed.
    """

    mask: BoxMask
    box: Box
    excess: np.ndarray
    covered: np.ndarray

    def foreground(self) -> np.ndarray:
        """(h, w) bool."""
        return np.where(self.covered, self.excess > 0, self.mask.window(self.box))

    def refined(self) -> BoxMask:
        if compiled := kernels():
            pixels, left, top = compiled.settled(self.excess, self.covered, self.mask.window(self.box))
            x0, y0 = (self.box[0] + left, self.box[1] + top) if pixels.size else (0, 0)
            return BoxMask(pixels, x0, y0, self.mask.frame)
        return BoxMask(self.foreground(), self.box[0], self.box[1], self.mask.frame).trimmed()


def _blend(mask: BoxMask, boxes: np.ndarray, probabilities: np.ndarray, scheme: PatchScheme) -> _Blend:
    if probabilities.ndim != 3 or probabilities.shape[::2] != (len(boxes), probabilities.shape[1]):
        raise ValueError(f"probabilities: expected one square for each of {len(boxes)} boxes, got {probabilities.shape}")
    as_cut = boxes[0, 2] - boxes[0, 0] == probabilities.shape[1] - 2 * scheme.padding
    blend = (_blend_squares if as_cut else _blend_resized)(mask, boxes, probabilities, scheme)
    if scheme.caution:
        towards = np.where(mask.window(blend.box), np.float32(scheme.caution), np.float32(-scheme.caution))
        blend.excess[:] += towards * _weight_on(boxes, blend.box, scheme)
    return blend


def _blend_squares(mask: BoxMask, boxes: np.ndarray, probabilities: np.ndarray, scheme: PatchScheme) -> _Blend:
    left, top, right, bottom = box = grow(enclosing(np.concatenate([boxes, [mask.box]])), 0, mask.frame)
    excess = np.zeros((bottom - top, right - left), np.float32)
    covered = np.zeros(excess.shape, bool)
    side, padding = int(boxes[0, 2] - boxes[0, 0]), scheme.padding
    weights = patch_weights(side, scheme.blend)
    if compiled := kernels():
        compiled.add_patches(excess, covered, boxes[:, :2] - box[:2], probabilities, padding, weights)
        return _Blend(mask, box, excess, covered)
    centre = np.s_[:, padding : padding + side, padding : padding + side]
    surpluses = (probabilities[centre] - np.float32(0.5)) * weights
    for (x0, y0, x1, y1), surplus in zip(boxes.tolist(), surpluses, strict=True):
        x1, y1 = min(x1, right), min(y1, bottom)
        place = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        excess[place] += surplus[: y1 - y0, : x1 - x0]
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
        answer = np.where(speaks, interpolate(probability[centre], box, inside), coarse)
        excess[place] += (answer - np.float32(0.5)) * _weights_in(box, inside, scheme)
        covered[place] = True
    return _Blend(mask, frame, excess, covered)


@lru_cache(maxsize=64)
def patch_weights(side: int, blend: Blend) -> np.ndarray:
    """(side, side) float32: what every pixel of a patch counts, read-only.

    >>> patch_weights(4, "centred")
    array([[0.25, 0.5 , 0.5 , 0.25],
           [0.5 , 1.  , 1.  , 0.5 ],
           [0.5 , 1.  , 1.  , 0.5 ],
           [0.25, 0.5 , 0.5 , 0.25]], dtype=float32)
    """
    to_border = np.minimum(np.arange(1, side + 1), np.arange(side, 0, -1)) / np.float32((side + 1) // 2)
    along = (to_border if blend == "centred" else np.ones(side)).astype(np.float32)
    weights = np.outer(along, along)
    weights.flags.writeable = False
    return weights


def _weights_in(box: Box, part: Box, scheme: PatchScheme) -> np.ndarray:
    """What the pixels of ``part`` of a patch count."""
    x0, y0, x1, y1 = part
    return patch_weights(box[2] - box[0], scheme.blend)[y0 - box[1] : y1 - box[1], x0 - box[0] : x1 - box[0]]


def _weight_on(boxes: np.ndarray, area: Box, scheme: PatchScheme) -> np.ndarray:
    """(h, w) float32: what the patches on every pixel of ``area`` count together."""
    total = np.zeros((area[3] - area[1], area[2] - area[0]), np.float32)
    for box in boxes.tolist():
        x0, y0, x1, y1 = part = intersect(area, tuple(box))
        if x0 < x1 and y0 < y1:
            total[y0 - area[1] : y1 - area[1], x0 - area[0] : x1 - area[0]] += _weights_in(box, part, scheme)
    return total
