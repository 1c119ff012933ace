"""Coarse masks to measure with, derived from ground truth: what makers of masks would have made of an object.

Nothing here is shared with :mod:`bpr.training.data.makers`, from which models learn: other algorithms (exact distances,
exact area means, spline interpolation, clicks at even steps along the outline) and fixed strengths. A model that has
learned the habits of one implementation gains nothing by it here. The masks depend on the object and its annotation
id alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import ndimage
from skimage import draw, measure

from bpr.geometry.boxes import grow
from bpr.geometry.masks import BoxMask

MARGIN = 24
HEAD_CELLS = 28
STRIDE, FINE_STRIDE = 8, 4
SAM_CELLS = 256
STEP, FINE_STEP = 3, 2
"""Pixels by which masks are too large or too small, of objects of any size and of small ones."""
TOLERANCE = 2.0
"""Pixels between an outline and its polygon, at most."""
BOX_SHARE = 0.94
"""Side of a wrong box as a share of the object's."""
STROKES = 24
SPOTS = 3


@dataclass(frozen=True)
class Place:
    """Where the window of a mask lies: its first column and row in a frame (H, W)."""

    left: int
    top: int
    frame: tuple[int, int]


Make = Callable[[np.ndarray, Place, np.random.Generator], np.ndarray]


def made(name: str, truth: BoxMask, identity: int) -> BoxMask:
    """The mask that maker ``name`` makes of ``truth``, the annotation of id ``identity``; it may be empty."""
    box = grow(truth.box, MARGIN, truth.frame)
    rng = np.random.default_rng([zlib.crc32(name.encode()), identity])
    pixels = {**MAKERS, **FINE_MAKERS}[name](truth.window(box), Place(box[0], box[1], truth.frame), rng)
    return BoxMask(pixels, box[0], box[1], truth.frame).trimmed()


def truth(mask: np.ndarray, place: Place, rng: np.random.Generator) -> np.ndarray:
    """The ground truth itself: nothing is to be done."""
    return mask.copy()


def mask_head(mask: np.ndarray, place: Place, rng: np.random.Generator) -> np.ndarray:
    """28x28 cells over the object's box, pasted back by bilinear interpolation, as Mask R-CNN does."""
    box, coarse = _tight(mask), np.zeros_like(mask)
    inside = mask[box]
    whole = (slice(0, inside.shape[0]), slice(0, inside.shape[1]))
    coarse[box] = _from_cells(_cell_means(inside, HEAD_CELLS, HEAD_CELLS), inside.shape, whole, order=1) > 0.5
    return coarse


def reduced(mask: np.ndarray, place: Place, rng: np.random.Generator, stride: int = STRIDE) -> np.ndarray:
    """An eighth of the image's resolution, on the grid of the image."""
    return _on_grid(mask, place, stride, order=1)


def polygon(mask: np.ndarray, place: Place, rng: np.random.Generator) -> np.ndarray:
    """A polygon within 2 px of the outline, less for an object of under 40 px."""
    tolerance = min(TOLERANCE, 0.05 * _side(mask))
    return _filled([measure.approximate_polygon(outline, tolerance) for outline in _outlines(mask)], mask)


def clicks(mask: np.ndarray, place: Place, rng: np.random.Generator) -> np.ndarray:
    """An annotator's clicks: corners at even steps along the outline, each off by 1 to 3 px in some direction."""
    polygons = []
    for outline in _outlines(mask):
        lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(outline, axis=0).T))])
        step = float(np.clip(lengths[-1] / 60, 5, 16))
        at = np.arange(0, lengths[-1], step)
        corners = np.stack([np.interp(at, lengths, axis) for axis in outline.T], axis=1)
        size, angle = np.minimum(rng.uniform(1, 3, len(at)), 0.08 * _side(mask)), rng.uniform(0, 2 * np.pi, len(at))
        polygons.append(corners + size[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1))
    return _filled(polygons, mask)


def large(mask: np.ndarray, place: Place, rng: np.random.Generator, step: int = STEP) -> np.ndarray:
    """3 px too large."""
    return mask | (_distance(~mask) <= step)


def small(mask: np.ndarray, place: Place, rng: np.random.Generator, step: int = STEP) -> np.ndarray:
    """3 px too small."""
    return _distance(mask) > step


def specks(mask: np.ndarray, place: Place, rng: np.random.Generator) -> np.ndarray:
    """Logits of 256 cells along the image; three holes in the object and three specks beside it, as SAM leaves them."""
    cell = max(place.frame) / SAM_CELLS
    coarse = _on_grid(mask, place, cell, order=3) if cell > 1 else mask.copy()
    beside = _distance(~mask)
    for where, value in ((mask, False), ((beside > 3) & (beside < 20), True)):
        rows, columns = np.nonzero(where)
        for _ in range(SPOTS if rows.size else 0):
            at, radius = rng.integers(rows.size), min(rng.uniform(1, 3) * max(cell, 1), 0.06 * _side(mask)) + 0.5
            coarse[draw.disk((rows[at], columns[at]), radius, shape=mask.shape)] = value
    return coarse


def box_cut(mask: np.ndarray, place: Place, rng: np.random.Generator) -> np.ndarray:
    """The truth inside a box 6 % too small; what lies beyond is gone."""
    inner = tuple(_shortened(side) for side in _tight(mask))
    cut = np.zeros_like(mask)
    cut[inner] = mask[inner]
    return cut


def _shortened(side: slice) -> slice:
    """Rounded so that at least a pixel goes at either end, where three are there."""
    inset = int(np.ceil((side.stop - side.start) * (1 - BOX_SHARE) / 2))
    return slice(side.start + inset, max(side.stop - inset, side.start + inset + 1))


def thin_gone(mask: np.ndarray, place: Place, rng: np.random.Generator) -> np.ndarray:
    """Without the parts that are thinner than a few pixels."""
    radius = max(1.5, 0.03 * _side(mask))
    core = _distance(mask) > radius
    return mask & (_distance(~core) <= radius) if core.any() else mask.copy()


def strokes(mask: np.ndarray, place: Place, rng: np.random.Generator) -> np.ndarray:
    """Painted by hand: two dozen dabs of a round brush, spread over the object, about as wide as it is there."""
    depth = _distance(mask)
    points = np.argwhere(depth >= 0.3 * depth.max())
    points = points[:: max(len(points) // 2000, 1)]
    chosen = [int(depth[tuple(points.T)].argmax())]
    far = np.full(len(points), np.inf)
    for _ in range(STROKES - 1):
        far = np.minimum(far, np.hypot(*(points - points[chosen[-1]]).T))
        chosen.append(int(far.argmax()))
    painted = np.zeros_like(mask)
    for row, column in points[chosen]:
        painted[draw.disk((row, column), depth[row, column] * rng.uniform(0.9, 1.2) + 0.5, shape=mask.shape)] = True
    return painted


MAKERS: dict[str, Make] = {
    "truth": truth,
    "28x28 head": mask_head,
    "1/8 resolution": reduced,
    "polygon": polygon,
    "clicks": clicks,
    "3 px large": large,
    "3 px small": small,
    "holes and specks": specks,
    "cut at a box": box_cut,
    "thin parts gone": thin_gone,
    "brush strokes": strokes,
}
FINE_MAKERS: dict[str, Make] = {
    "1/4 resolution": partial(reduced, stride=FINE_STRIDE),
    "2 px large": partial(large, step=FINE_STEP),
    "2 px small": partial(small, step=FINE_STEP),
}
"""For sets of small objects, which the same makers above often leave with an IoU below .5."""


def _distance(inside: np.ndarray) -> np.ndarray:
    """Exact distance of every pixel of ``inside`` to the nearest pixel outside; beyond the array all is inside."""
    if inside.all():
        return np.full(inside.shape, float(sum(inside.shape)))
    return ndimage.distance_transform_edt(inside)


def _cell_means(mask: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Exact means over ``rows`` x ``columns`` equal cells, which may cut pixels."""
    means = mask.astype(float)
    for axis, count in ((0, rows), (1, columns)):
        sums = np.concatenate([np.zeros_like(np.take(means, [0], axis)), np.cumsum(means, axis)], axis)
        size, edges = means.shape[axis], np.linspace(0, means.shape[axis], count + 1)
        low = np.minimum(edges.astype(int), size - 1)
        share = np.expand_dims(edges - low, 1 - axis)
        at_edges = np.take(sums, low, axis) * (1 - share) + np.take(sums, low + 1, axis) * share
        means = np.diff(at_edges, axis=axis) * (count / size)
    return means


def _from_cells(cells: np.ndarray, shape: tuple[int, ...], part: tuple[slice, slice], order: int) -> np.ndarray:
    """A part of the ``shape`` that the cells cover, interpolated linearly (order 1) or by cubic splines (3)."""
    spans = zip(part, cells.shape, shape, strict=True)
    at = [(np.arange(side.start, side.stop) + 0.5) * count / size - 0.5 for side, count, size in spans]
    return ndimage.map_coordinates(cells, np.meshgrid(*at, indexing="ij"), order=order, mode="nearest")


def _on_grid(mask: np.ndarray, place: Place, cell: float, order: int) -> np.ndarray:
    """Down to the image's own cells of ``cell`` px and back."""
    whole = np.zeros([int(np.ceil(np.ceil(size / cell) * cell)) for size in place.frame], bool)
    height, width = place.frame
    rows, columns = slice(place.top, place.top + mask.shape[0]), slice(place.left, place.left + mask.shape[1])
    whole[rows, columns] = mask
    whole[height:], whole[:, width:] = whole[height - 1], whole[:, width - 1 : width]
    cells = _cell_means(whole, *(round(size / cell) for size in whole.shape))
    return _from_cells(cells, whole.shape, (rows, columns), order) > 0.5


def _outlines(mask: np.ndarray) -> list[np.ndarray]:
    """(K, 2) rows and columns along the outline of every part and hole of more than a few pixels."""
    padded = np.pad(mask, 1, mode="constant")
    return [outline - 1 for outline in measure.find_contours(padded.astype(float), 0.5) if len(outline) > 8]


def _filled(polygons: list[np.ndarray], mask: np.ndarray) -> np.ndarray:
    filled = np.zeros_like(mask)
    for corners in polygons:
        if len(corners) > 2:
            filled[draw.polygon(corners[:, 0], corners[:, 1], mask.shape)] ^= True
    return filled if filled.any() else mask.copy()


def _tight(mask: np.ndarray) -> tuple[slice, slice]:
    return ndimage.find_objects(mask.astype(np.uint8))[0]


def _side(mask: np.ndarray) -> float:
    return float(np.sqrt(np.count_nonzero(mask)))
