"""Where to look closer: square patches on the boundary of one instance (paper section 3.1, supplement section B).

Legend: K patches, H W frame, R C rows and columns of a grid of cells.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from bpr.compiled import kernels
from bpr.geometry.boundary import boundary_levels, boundary_pixels
from bpr.geometry.boxes import enclosing, grow, squares_inside
from bpr.geometry.masks import BoxMask
from bpr.geometry.nms import exclusion_reach, suppress_squares
from bpr.geometry.scheme import Kind, PatchScheme

CONTEXT = 0.1
"""An instance's square is larger than its box by this share of the longer side, to every side."""
SMALLEST = 8
"""Side in pixels of the smallest square around an instance."""


def patch_boxes(mask: BoxMask, scheme: PatchScheme) -> np.ndarray:
    """(K, 4) int32 boxes of one instance, as the scheme's ``kind`` chooses them; K = 0 without a boundary.

    >>> mask = BoxMask(np.ones((20, 30), bool), 10, 10, (100, 100))
    >>> [patch_boxes(mask, PatchScheme(kind=kind, side=16)).shape[0] for kind in ("dense", "grid", "instance")]
    [20, 6, 1]
    """
    return _PROPOSALS[scheme.kind](mask, scheme)


def pass_boxes(mask: BoxMask, scheme: PatchScheme, at: int) -> np.ndarray:
    """(K, 4) int32 boxes of pass ``at`` (0 is the first); K = 0 where the instance is too small for wide patches.

    >>> mask = BoxMask(np.ones((40, 50), bool), 10, 10, (100, 100))
    >>> [len(pass_boxes(mask, PatchScheme(side=16, wide=wide), 0)) for wide in (0, 32, 48)]
    [36, 10, 0]
    """
    side = scheme.pass_sides[at]
    if side == scheme.side:
        return patch_boxes(mask, scheme)
    return patch_boxes(mask, replace(scheme, side=side, wide=0)) if mask.area >= side**2 else np.empty((0, 4), np.int32)


def dense_boxes(mask: BoxMask, scheme: PatchScheme) -> np.ndarray:
    """(K, 4) int32 boxes that together cover every boundary pixel of ``mask``; K = 0 without a boundary.

    One square per boundary pixel, greedy suppression, shift into the frame, then squares for the pixels that the
    suppression left bare.
    """
    return _squares_on(*boundary_pixels(mask), scheme, mask.frame)


def withdrawn_boxes(seen: BoxMask, refined: BoxMask, scheme: PatchScheme) -> np.ndarray:
    """(K, 4) int32 boxes on the boundary of ``refined`` where it lies ``scheme.withdrawn`` pixels or more inside ``seen``.

    There the network has cut something off that only the margins of its patches showed: patches on the new boundary
    show how far it goes. Where a mask has grown nothing is followed, as that runs on into neighbours.

    >>> seen, refined = (BoxMask(np.ones((60, width), bool), 10, 10, (100, 200)) for width in (150, 100))
    >>> withdrawn_boxes(seen, refined, PatchScheme(side=16, withdrawn=4))[:, ::2].min()  # columns: the new side alone
    np.int32(101)
    """
    rows, columns = boundary_pixels(refined)
    area = grow(enclosing(np.array([seen.box, refined.box])), 1, seen.frame)
    mask = seen.window(area)
    to_boundary = cv2.distanceTransform((boundary_levels(mask) == 0).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    place = rows - area[1], columns - area[0]
    far = mask[place] & (to_boundary[place] >= scheme.withdrawn)
    return _squares_on(rows[far], columns[far], scheme, seen.frame)


def _squares_on(rows: np.ndarray, columns: np.ndarray, scheme: PatchScheme, frame: tuple[int, int]) -> np.ndarray:
    """(K, 4) int32 boxes that cover the given pixels, the surest first."""
    if compiled := kernels():
        reach = exclusion_reach(scheme.side, scheme.nms_iou)
        return compiled.covering_squares(rows, columns, scheme.side, reach, scheme.cover_margin, *frame)
    kept = suppress_squares(rows, columns, scheme.side, scheme.nms_iou)
    boxes = squares_inside(rows[kept], columns[kept], scheme.side, frame)
    bare = ~_covered(rows, columns, boxes, scheme.cover_margin, frame)
    return np.concatenate([boxes, _top_up(rows[bare], columns[bare], scheme, frame)])


def _top_up(rows: np.ndarray, columns: np.ndarray, scheme: PatchScheme, frame: tuple[int, int]) -> np.ndarray:
    """Squares on the first bare pixel, again and again, until none is bare."""
    boxes = [np.empty((0, 4), np.int32)]
    while rows.size:
        boxes.append(squares_inside(rows[:1], columns[:1], scheme.side, frame))
        bare = ~_covered(rows, columns, boxes[-1], scheme.cover_margin, frame)
        rows, columns = rows[bare], columns[bare]
    return np.concatenate(boxes)


def _covered(rows: np.ndarray, columns: np.ndarray, boxes: np.ndarray, margin: int, frame: tuple[int, int]) -> np.ndarray:
    """(N,) bool: the pixel lies in some box, ``margin`` pixels off the sides of the box that are not the frame's."""
    if not rows.size or not len(boxes):
        return np.zeros(rows.shape, bool)
    height, width = frame
    left, top = int(columns.min()), int(rows.min())
    canvas = np.zeros((int(rows.max()) - top + 1, int(columns.max()) - left + 1), bool)
    for x0, y0, x1, y1 in boxes.tolist():
        x0, x1 = x0 + margin * (x0 > 0), x1 - margin * (x1 < width)
        y0, y1 = y0 + margin * (y0 > 0), y1 - margin * (y1 < height)
        canvas[max(y0 - top, 0) : max(y1 - top, 0), max(x0 - left, 0) : max(x1 - left, 0)] = True
    return canvas[rows - top, columns - left]


def grid_boxes(mask: BoxMask, scheme: PatchScheme) -> np.ndarray:
    """(K, 4) int32 cells of a fixed grid over the frame that hold both foreground and background, row by row.

    The last row and column are shifted inside, so they overlap their neighbours where the side does not divide the
    frame. A boundary that runs exactly between two cells lies in neither.
    """
    left, top, right, bottom = mask.box
    columns = _cell_starts(mask.frame[1], scheme.side, left, right)
    rows = _cell_starts(mask.frame[0], scheme.side, top, bottom)
    if not rows.size or not columns.size:
        return np.empty((0, 4), np.int32)
    x0, y0 = (grid.ravel() for grid in np.meshgrid(columns, rows))
    boxes = np.stack([x0, y0, x0 + scheme.side, y0 + scheme.side], axis=1).astype(np.int32)
    foreground, pixels = _counts(mask, boxes)
    return boxes[(foreground > 0) & (foreground < pixels)]


def _cell_starts(length: int, side: int, start: int, stop: int) -> np.ndarray:
    """First pixels of the cells along one side of the frame that reach into ``start``..``stop``."""
    starts = np.minimum(np.arange(0, length, side), max(length - side, 0))
    return starts[(starts < stop) & (starts + side > start)]


def _counts(mask: BoxMask, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(K,) foreground pixels and (K,) pixels of the frame in every box."""
    left, top, right, bottom = mask.box
    height, width = mask.frame
    sums = cv2.integral(mask.pixels.view(np.uint8))
    x0, x1 = (np.clip(boxes[:, i], left, right) - left for i in (0, 2))
    y0, y1 = (np.clip(boxes[:, i], top, bottom) - top for i in (1, 3))
    pixels = (np.minimum(boxes[:, 2], width) - boxes[:, 0]) * (np.minimum(boxes[:, 3], height) - boxes[:, 1])
    return sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0], pixels


def instance_boxes(mask: BoxMask, scheme: PatchScheme) -> np.ndarray:
    """(1, 4) int32: one square around the mask's box and a little context, shifted inside the frame where it fits.

    Its side is the instance's: cutting resizes it to the scheme's window. (0, 4) for a mask without a boundary.
    """
    if mask.area in (0, mask.frame[0] * mask.frame[1]):
        return np.empty((0, 4), np.int32)
    left, top, right, bottom = mask.trimmed().box
    longest = max(right - left, bottom - top)
    side = max(SMALLEST, longest + 2 * round(CONTEXT * longest))
    return squares_inside(np.array([(top + bottom) // 2]), np.array([(left + right) // 2]), side, mask.frame)


_PROPOSALS: dict[Kind, Callable[[BoxMask, PatchScheme], np.ndarray]] = {
    "dense": dense_boxes,
    "grid": grid_boxes,
    "instance": instance_boxes,
}
