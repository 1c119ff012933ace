"""A mask as closed rings of points x, y: exactly along its pixels' edges, or with few vertices near them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask

DEFAULT_TOLERANCE = 1.0
"""Pixels by which a polygon may leave the edges of its mask, unless :data:`LEAST_IOU` asks for less."""
LEAST_IOU = 0.995
"""What a polygon at the default tolerance fills, compared with its mask."""
SHARE_KEPT = 0.5
"""The same at a tolerance that the user chose: a polygon that keeps less is no picture of its mask."""
STEPS = (1.0, 0.85, 0.7, 0.6, 0.5, 0.42, 0.35, 0.3, 0.25, 0.18, 0.0)
"""The shares of the tolerance that are tried one after the other; the last one is exact."""
FARTHEST = 3.0
"""Pixels by which a vertex may leave the place where its ring was seen to turn: at a blunt corner that is uncertain."""
SMALLEST_FIT = 8
"""Pixel edges of the shortest ring that is simplified: the outline of two pixels has six."""
MOST_DISTANCES = 2**20
"""Distances between two rings that are computed at once: 8 MB."""
Snap = Callable[[np.ndarray], np.ndarray]
"""(n, 2) vertices in pixels as a reader of the format will see them: rounded as the format writes them."""


def hundredths(vertices: np.ndarray) -> np.ndarray:
    """Vertices with two decimals, as COCO's and CVAT's files have them."""
    return vertices.round(2)


def rings_of(mask: BoxMask, tolerance: float | None = None, snap: Snap = hundredths) -> list[list[np.ndarray]]:
    """The rings of every part of a mask, the outer one first and then its holes: (n, 2) float corners x, y in pixels.

    Args:
        tolerance: pixels by which the rings may leave the edges of the mask's pixels; 0: the rings fill to exactly the
            mask. None: the default, which is lowered where the rings would fill, by pycocotools' rule, to less than
            LEAST_IOU of the mask. A tolerance of the user is lowered only where less than SHARE_KEPT would remain.
        snap: how the format rounds; a rounded vertex may fill other pixels.

    >>> [ring.tolist() for ring, in rings_of(BoxMask.from_frame(np.array([[0, 1, 1, 0, 1]])), 0)]
    [[[4.0, 0.0], [4.0, 1.0], [5.0, 1.0], [5.0, 0.0]], [[1.0, 0.0], [1.0, 1.0], [3.0, 1.0], [3.0, 0.0]]]
    """
    rings = list(_rings(mask))
    least = LEAST_IOU if tolerance is None else SHARE_KEPT
    largest = DEFAULT_TOLERANCE if tolerance is None else tolerance
    target = encode_mask(mask)
    families: dict[int, list[np.ndarray]] = {}
    for step in STEPS:
        simple = [snap(_simplified(ring, largest * step, mask.frame)) for ring, _ in rings]
        families = {}
        for index, (ring, (_, outer)) in enumerate(zip(simple, rings, strict=True)):
            families.setdefault(index if outer < 0 else outer, []).append(ring)
        if not largest * step or _iou([joined(family) for family in families.values()], target) >= least:
            break
    return list(families.values())


def joined(rings: Sequence[np.ndarray]) -> np.ndarray:
    """One ring of several, (0, 2) of none: bridges without width connect each to those before it where they are nearest.

    >>> joined([np.array([[0.0, 0], [0, 2], [2, 2]]), np.array([[4.0, 2], [4, 4], [6, 4]])]).tolist()[2:6]
    [[2.0, 2.0], [4.0, 2.0], [4.0, 4.0], [6.0, 4.0]]
    """
    whole = np.empty((0, 2))
    for ring in rings:
        if len(whole):
            here, there = _nearest(whole, ring)
            ring = np.concatenate([whole[: here + 1], ring[there:], ring[: there + 1], whole[here:]])
        whole = ring
    return whole


def _nearest(one: np.ndarray, other: np.ndarray) -> tuple[int, int]:
    """The indices of the nearest two vertices of two rings."""
    best = (np.inf, 0, 0)
    rows = max(1, MOST_DISTANCES // len(other))
    for start in range(0, len(one), rows):
        distances = np.square(one[start : start + rows, None] - other[None]).sum(axis=2)
        row, column = divmod(int(distances.argmin()), len(other))
        best = min(best, (float(distances[row, column]), start + row, column))
    return best[1:]


def _iou(parts: Sequence[np.ndarray], target: dict[str, Any]) -> float:
    """The IoU of a mask (RLE) with what its parts fill; 0 where a part is no polygon any more."""
    if not parts or min(map(len, parts)) < 3:
        return 0.0
    filled = coco_mask.merge(coco_mask.frPyObjects([part.ravel().tolist() for part in parts], *target["size"]))
    return float(coco_mask.iou([filled], [target], [0])[0, 0])


def _rings(mask: BoxMask) -> Iterator[tuple[np.ndarray, int]]:
    """(n, 2) int corners of every ring along the pixels' edges, and the index of the ring around it; -1 for a part."""
    if not mask.pixels.size:
        return
    # A contour runs through pixel centres. At twice the size every pixel has two centres per side, one for each edge.
    doubled = mask.pixels.astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    contours, tree = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    for index, contour in enumerate(contours):
        corners = (contour[:, 0] + 1) // 2
        changes = (corners != np.roll(corners, 1, axis=0)).any(axis=1)
        yield corners[changes] + (mask.left, mask.top), int(tree[0, index, 3])


def _simplified(ring: np.ndarray, tolerance: float, frame: tuple[int, int]) -> np.ndarray:
    """A ring of few vertices within about ``tolerance`` of the pixel edges of an exact ``ring``.

    Douglas and Peucker's method finds where the ring turns. Between two turns the side is a fitted line, and a vertex
    is where two sides meet, so a straight side that was rasterised is found again.
    """
    middles = _edge_middles(ring)
    if not tolerance or len(middles) < SMALLEST_FIT:
        return ring.astype(float)
    doubled = (middles * 2).astype(np.int32)  # whole numbers, so that the chosen points can be found again
    chosen = cv2.approxPolyDP(doubled[:, None], 2 * tolerance, closed=True)[:, 0]
    width = int(doubled[:, 0].max()) + 1
    codes = doubled @ (1, width)
    order = np.argsort(codes)
    turns = np.unique(order[np.searchsorted(codes, chosen @ (1, width), sorter=order)])
    if len(turns) < 3:
        return ring.astype(float)
    return np.clip(_meeting_points(middles, turns, max(tolerance, FARTHEST)), 0, frame[::-1])


def _edge_middles(ring: np.ndarray) -> np.ndarray:
    """(m, 2) the middle of every pixel edge along a ring. No two edges of a mask have the same middle."""
    steps = np.roll(ring, -1, axis=0) - ring
    lengths = np.abs(steps).sum(axis=1)
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    along = np.arange(int(lengths.sum())) - starts + 0.5
    return ring.repeat(lengths, axis=0) + np.sign(steps).repeat(lengths, axis=0) * along[:, None]


def _meeting_points(middles: np.ndarray, turns: np.ndarray, farthest: float) -> np.ndarray:
    """(k, 2) where the lines fitted to the sides between k ``turns`` meet.

    Where they meet nowhere near, the turn itself is the vertex. The sums that a fit needs are differences of running
    sums, so the time does not depend on the number of turns.
    """
    origin = middles.mean(axis=0)
    x, y = (np.concatenate([middles, middles]) - origin).T
    sums = np.cumsum(np.stack([np.ones_like(x), x, y, x * x, x * y, y * y]), axis=1)
    sums = np.concatenate([np.zeros((6, 1)), sums], axis=1)
    first, last = turns, np.append(turns[1:], turns[0] + len(middles))
    trim = (last - first > 4).astype(int)  # the middles at a turn belong to both sides
    count, sx, sy, sxx, sxy, syy = sums[:, last + 1 - trim] - sums[:, first + trim]
    centre = np.stack([sx, sy], axis=1) / count[:, None]
    spread_x, spread_y, both = sxx - sx * sx / count, syy - sy * sy / count, sxy - sx * sy / count
    angle = 0.5 * np.arctan2(2 * both, spread_x - spread_y)
    normal = np.stack([-np.sin(angle), np.cos(angle)], axis=1)
    offset = (normal * centre).sum(axis=1)
    before, before_offset = np.roll(normal, 1, axis=0), np.roll(offset, 1)
    determinant = before[:, 0] * normal[:, 1] - before[:, 1] * normal[:, 0]
    safe = np.where(np.abs(determinant) < 1e-6, 1.0, determinant)
    meet_x = (before_offset * normal[:, 1] - offset * before[:, 1]) / safe
    meet_y = (before[:, 0] * offset - normal[:, 0] * before_offset) / safe
    meeting = np.stack([meet_x, meet_y], axis=1) + origin
    at_turn = middles[turns]
    near = (np.abs(determinant) >= 1e-6) & (np.square(meeting - at_turn).sum(axis=1) <= farthest**2)
    return np.where(near[:, None], meeting, at_turn)
