"""Coarse masks like those of many makers, drawn from ground truth, so that a network learns to handle any mask.

:mod:`~bpr.training.data.synthetic_masks` imitates detectors, whose masks are a little too large. The makers here cover
other sources of masks (mask heads, annotators, promptable segmenters, brushes), are biased towards neither side, and
include masks that are right, which a network has to leave alone.

Every maker takes the ground truth inside a window, (h, w) bool, and a generator, and returns the coarse mask, (h, w) bool.
Equal generators give equal masks. Sizes are in pixels, and limited for small objects so that the mask still shows its
object.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from bpr.geometry.boxes import Box, grow
from bpr.geometry.coarse_grid import from_cells, signed_distance, to_cells
from bpr.geometry.masks import BoxMask

MARGIN = 48
"""Pixels around the object in which a maker may put foreground."""
LARGEST_BIAS = 4.0
"""Pixels by which a whole boundary is moved at most, inwards or outwards."""
BIAS_OF_SIDE = 0.12
"""The same as a share of the object's side (the root of its area): small objects stay recognisable."""

Make = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Maker:
    """One way in which masks come about, and how often it is drawn relative to the others."""

    name: str
    share: float
    make: Make


def coarse_mask(
    truth: BoxMask, rng: np.random.Generator, maker: Maker | None = None, perfect_share: float = 0.3
) -> BoxMask:
    """A coarse version of ``truth`` by ``maker``.

    Without ``maker`` it is drawn: the one of perfect masks with a probability of ``perfect_share``, the others of
    :data:`MAKERS` with their shares of the rest.
    """
    if maker is None:
        maker = MAKERS[0] if rng.random() < perfect_share else MAKERS[1 + rng.choice(len(MAKERS) - 1, p=SHARES)]
    box = grow(truth.box, MARGIN, truth.frame)
    return BoxMask(maker.make(truth.window(box), rng), box[0], box[1], truth.frame).trimmed()


def perfect(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The ground truth itself or, half of the time, with bumps of a pixel here and there."""
    if rng.random() < 0.5:
        return mask.copy()
    return moved(mask, _smooth_noise(mask.shape, rng.uniform(2, 8), rng) * rng.uniform(0.1, 0.4))


def mask_head(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mask R-CNN: 28x28 cells (at times 14x14 or 56x56) over a slightly wrong box, pasted back; nothing beyond the box."""
    cells = int(rng.choice([14, 28, 28, 28, 56]))
    x0, y0, x1, y1 = _detected_box(mask, rng)
    small = cv2.resize(mask[y0:y1, x0:x1].astype(np.float32), (cells, cells), interpolation=cv2.INTER_AREA)
    small = small + _smooth_noise(small.shape, 1.0, rng) * rng.uniform(0, 0.12)
    coarse = np.zeros_like(mask)
    coarse[y0:y1, x0:x1] = from_cells(small, (y1 - y0, x1 - x0)) > 0.5
    return _perhaps_biased(coarse, rng)


def low_resolution(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Fully convolutional networks: the mask at 1/4 to 1/16 of the resolution."""
    cell = float(np.exp(rng.uniform(np.log(4), np.log(16))))
    return _perhaps_biased(_through_grid(mask, cell, 0.0, rng.uniform(0, 0.15), rng), rng)


def prototype(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """YOLO: prototypes of 3 to 8 px, blurred and disturbed, up-sampled and cut at the detected box."""
    box = _detected_box(mask, rng)
    coarse = _through_grid(mask, rng.uniform(3, 8), rng.uniform(0.4, 1.0), rng.uniform(0, 0.25), rng)
    return _cut(_perhaps_biased(coarse, rng), box)


def holes_and_specks(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """SAM: logits of 256 px over the whole image, with small holes in the object and specks next to it."""
    cell = float(np.exp(rng.uniform(np.log(1.5), np.log(8))))
    coarse = _through_grid(mask, cell, 0.5, rng.uniform(0, 0.1), rng).astype(np.uint8)
    largest = max(0.08 * _side(mask), 1.0)
    near = (signed_distance(mask) < MARGIN / 2) & ~mask
    for places, value in ((mask, 0), (near, 1)):
        rows, columns = np.nonzero(places)
        for _ in range(1 + rng.poisson(2) if rows.size else 0):
            at = rng.integers(rows.size)
            axes = np.clip(rng.uniform(0.7, 2.5, 2) * cell, 1, largest).round().astype(int).tolist()
            cv2.ellipse(coarse, (int(columns[at]), int(rows[at])), axes, float(rng.uniform(0, 180)), 0, 360, value, -1)
    return coarse.astype(bool)


def simplified_polygon(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An annotation stored with few corners, each within .5 to 4 px of the outline."""
    tolerance = min(float(np.exp(rng.uniform(np.log(0.5), np.log(4)))), 0.05 * _side(mask) + 0.5)
    return _filled([cv2.approxPolyDP(contour, tolerance, True)[:, 0] for contour in _contours(mask)], mask)


def clicks(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An annotator who clicks along the outline, every corner off by 1 to 3 px."""
    tolerance, scatter = rng.uniform(0.7, 2.5), min(rng.uniform(1, 3), 0.5 * BIAS_OF_SIDE * _side(mask))
    corners = [cv2.approxPolyDP(contour, tolerance, True)[:, 0] for contour in _contours(mask)]
    return _filled([points + rng.normal(0, scatter / np.sqrt(2), points.shape) for points in corners], mask)


def biased(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Systematically too small or too large, by up to 4 px to either side, a little more here and less there."""
    limit = largest_bias(mask)
    offset = rng.uniform(-limit, limit)
    bumps = _smooth_noise(mask.shape, rng.uniform(6, 24), rng)
    return moved(mask, offset + bumps * rng.uniform(0, 0.2 * limit))


def wrong_box(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A mask of another maker, cut at a box with one to four sides inside the object; the rest is lost."""
    make = (perfect, prototype, mask_head, low_resolution)[rng.integers(4)]
    x0, y0, x1, y1 = _tight(mask)
    inwards = np.where(rng.random(4) < 0.4, rng.uniform(0.02, 0.15, 4), 0)
    inwards[rng.integers(4)] = rng.uniform(0.02, 0.15)
    steps = np.ceil(inwards * (x1 - x0, y1 - y0, x1 - x0, y1 - y0)).astype(int)
    return _cut(make(mask, rng), (x0 + int(steps[0]), y0 + int(steps[1]), x1 - int(steps[2]), y1 - int(steps[3])))


def thin_parts_missing(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Legs, handles and antennae narrower than a few pixels are gone, the largest for certain and most of the others."""
    radius = max(round(rng.uniform(0.02, 0.1) * _side(mask)), 1)
    foreground = mask.astype(np.uint8)
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    opened = cv2.morphologyEx(foreground, cv2.MORPH_OPEN, disk)
    lost = (foreground > opened).astype(np.uint8)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(lost, connectivity=8)
    if count == 1 or not opened.any():
        return mask.copy()
    gone = rng.random(count) < 0.7
    gone[1 + statistics[1:, cv2.CC_STAT_AREA].argmax()] = True
    gone[0] = False
    return mask & ~gone[labels]


def warped(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Moved by a smooth random field of a few pixels, as masks carried over from another frame are."""
    sigma, size = rng.uniform(8, 32), rng.uniform(0.3, 1) * min(LARGEST_BIAS, 0.5 * BIAS_OF_SIDE * _side(mask))
    rows, columns = np.indices(mask.shape, np.float32)
    fields = [_smooth_noise(mask.shape, sigma, rng) * size for _ in range(2)]
    x, y = columns + fields[0], rows + fields[1]
    return cv2.remap(mask.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) > 0.5


def leaks_and_bites(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One to three pieces added or bitten off at the boundary, the rest right or nearly so."""
    coarse = perfect(mask, rng).astype(np.uint8)
    rows, columns = np.nonzero(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)))
    for _ in range(rng.integers(1, 4) if rows.size else 0):
        at = rng.integers(rows.size)
        axes = np.maximum(1, np.round(rng.uniform(0.03, 0.15, 2) * _side(mask))).astype(int).tolist()
        value = int(rng.random() < 0.5)
        cv2.ellipse(coarse, (int(columns[at]), int(rows[at])), axes, float(rng.uniform(0, 180)), 0, 360, value, -1)
    return coarse.astype(bool)


def brush_strokes(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Painted by hand with a round brush: dabs about as wide as the object is there."""
    depth = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    rows, columns = np.nonzero(mask)
    coarse, most = np.zeros(mask.shape, np.uint8), 0.03 * _side(mask)
    chosen = rng.integers(max(rows.size, 1), size=rng.integers(20, 80) if rows.size else 0)
    for row, column in zip(rows[chosen], columns[chosen], strict=True):
        radius = depth[row, column] * rng.uniform(0.8, 1.1) + rng.uniform(0, most)
        cv2.circle(coarse, (int(column), int(row)), max(round(float(radius)), 1), 1, -1)
    return coarse.astype(bool)


MAKERS = (
    Maker("perfect", 0.0, perfect),
    Maker("mask-head", 0.10, mask_head),
    Maker("low-resolution", 0.08, low_resolution),
    Maker("prototype", 0.07, prototype),
    Maker("holes-and-specks", 0.08, holes_and_specks),
    Maker("polygon", 0.06, simplified_polygon),
    Maker("clicks", 0.08, clicks),
    Maker("biased", 0.09, biased),
    Maker("wrong-box", 0.06, wrong_box),
    Maker("thin-parts-missing", 0.03, thin_parts_missing),
    Maker("warped", 0.03, warped),
    Maker("leaks-and-bites", 0.04, leaks_and_bites),
    Maker("brush-strokes", 0.02, brush_strokes),
)
"""The registry: a maker is one row. The first one makes perfect masks; shares of the others count relative to their sum."""

SHARES = np.array([maker.share for maker in MAKERS[1:]]) / sum(maker.share for maker in MAKERS[1:])


def moved(mask: np.ndarray, offset: float | np.ndarray) -> np.ndarray:
    """The mask with its boundary moved outwards by ``offset`` pixels, inwards where it is negative; one value or (h, w).

    >>> moved(np.array([[0, 0, 0, 1, 1]], bool), 2).astype(int)
    array([[0, 1, 1, 1, 1]])
    """
    return signed_distance(mask) < offset if mask.any() else mask.copy()


def largest_bias(mask: np.ndarray) -> float:
    """Pixels by which the boundary of this object may be moved: 4, and less for a small one."""
    return min(LARGEST_BIAS, BIAS_OF_SIDE * _side(mask))


def _perhaps_biased(coarse: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Half of the time moved by up to half of the largest bias, to either side."""
    if rng.random() < 0.5:
        return coarse
    limit = 0.5 * largest_bias(coarse)
    return moved(coarse, rng.uniform(-limit, limit))


def _through_grid(mask: np.ndarray, cell: float, blur: float, noise: float, rng: np.random.Generator) -> np.ndarray:
    """Averaged into cells (at least four along the object), blurred and disturbed, interpolated back and cut at one half."""
    cells = to_cells(mask.astype(np.float32), max(min(cell, 0.25 * _side(mask)), 1.0))
    if blur:
        cells = cv2.GaussianBlur(cells, (0, 0), blur)
    return from_cells(cells + _smooth_noise(cells.shape, 1.5, rng) * noise, mask.shape) > 0.5


def _detected_box(mask: np.ndarray, rng: np.random.Generator) -> Box:
    """The object's box, each side off by about 2 % of its length and inside the window."""
    x0, y0, x1, y1 = _tight(mask)
    wide, high = x1 - x0, y1 - y0
    off = np.round(rng.normal(0, 0.02, 4) * (wide, high, wide, high)).astype(int).tolist()
    left, top = max(x0 + off[0], 0), max(y0 + off[1], 0)
    return left, top, max(min(x1 + off[2], mask.shape[1]), left + 1), max(min(y1 + off[3], mask.shape[0]), top + 1)


def _cut(mask: np.ndarray, box: Box) -> np.ndarray:
    x0, y0, x1, y1 = box
    cut = np.zeros_like(mask)
    cut[y0:y1, x0:x1] = mask[y0:y1, x0:x1]
    return cut


def _contours(mask: np.ndarray) -> list[np.ndarray]:
    """Outlines of the parts and of their holes, (K, 1, 2) int32 each."""
    return list(cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)[0])


def _filled(polygons: list[np.ndarray], mask: np.ndarray) -> np.ndarray:
    """The polygons, (K, 2) each in sixteenths of a pixel, filled evenly-oddly; the mask itself where none has three corners."""
    drawn = np.zeros(mask.shape, np.uint8)
    corners = [np.round(points * 16).astype(np.int32) for points in polygons if len(points) > 2]
    if not corners:
        return mask.copy()
    cv2.fillPoly(drawn, corners, 1, shift=4)
    return drawn.astype(bool)


def _tight(mask: np.ndarray) -> Box:
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return left, top, left + width, top + height


def _side(mask: np.ndarray) -> float:
    return float(np.sqrt(max(np.count_nonzero(mask), 1)))


def _smooth_noise(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise of unit variance, smooth over ``sigma`` pixels."""
    # Noise that is smooth over many pixels is made on a coarser grid: the blur would take most of the time.
    step = max(int(sigma / 2), 1)
    coarse = rng.standard_normal((-(-shape[0] // step) + 1, -(-shape[1] // step) + 1)).astype(np.float32)
    noise = cv2.GaussianBlur(coarse, (0, 0), sigma / step)
    if step > 1:
        noise = cv2.resize(noise, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    noise = noise[: shape[0], : shape[1]]
    return noise / (float(noise.std()) + 1e-6)
