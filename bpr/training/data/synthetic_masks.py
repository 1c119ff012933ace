"""Coarse masks made from ground truth: masks like a detector's, without a detector.

Each way imitates one kind of detector or annotator. Sizes are in pixels of the frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from bpr.formats.coco import INSTANCES, Record, positions_by_kind
from bpr.geometry.boxes import grow
from bpr.geometry.coarse_grid import from_cells, signed_distance, to_cells
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, encode_mask
from bpr.io.image_list import ImageList

MARGIN = 48
MIXED = "mixed"


def coarsen(mask: BoxMask, rng: np.random.Generator, way: str = MIXED) -> BoxMask:
    """A coarse version of ``mask``: sampled down in one of the ways, shifted, perhaps with local faults, and biased.

    Detectors' masks are on average slightly too large, so the bias points outwards on average.

    Args:
        way: one of WAYS; ``mixed`` draws one of the others for every mask.
    """
    ways = _WAYS[way]
    box = grow(mask.box, MARGIN, mask.frame)
    soft = mask.window(box).astype(np.float32)
    side = float(np.sqrt(max(mask.area, 1)))
    soft = ways[rng.integers(len(ways))](soft, mask, rng)
    soft = _shifted(soft, rng.normal(0, 0.008 * side, 2))
    if rng.random() < 0.5:
        soft = _local_fault(soft, side, rng)
    pixels = _biased(soft, rng.normal(0.8, 1.2), rng)
    return BoxMask(pixels, box[0], box[1], mask.frame).trimmed()


def _prototype(soft: np.ndarray, mask: BoxMask, rng: np.random.Generator) -> np.ndarray:
    """Like YOLO: a soft mask from 160x160 prototypes of the letterboxed image, upsampled."""
    return _through_grid(soft, max(mask.frame) / 160, rng)


def _mask_head(soft: np.ndarray, mask: BoxMask, rng: np.random.Generator) -> np.ndarray:
    """Like Mask R-CNN: 28x28 cells over a slightly wrong box."""
    height, width = mask.pixels.shape
    scale = rng.normal(1.05, 0.04)
    return _through_grid(soft, (max(width * scale / 28, 1.0), max(height * scale / 28, 1.0)), rng)


def _stride_four(soft: np.ndarray, mask: BoxMask, rng: np.random.Generator) -> np.ndarray:
    """Like a fully convolutional network: logits at a quarter or an eighth of the image's resolution."""
    return _through_grid(soft, float(rng.choice([4.0, 8.0])), rng)


def _polygon(soft: np.ndarray, mask: BoxMask, rng: np.random.Generator) -> np.ndarray:
    """Like an annotator: outer contours with few corners."""
    contours, _ = cv2.findContours(soft.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    tolerance = rng.uniform(0.006, 0.02)
    drawn = np.zeros_like(soft)
    corners = [cv2.approxPolyDP(contour, tolerance * cv2.arcLength(contour, True), True) for contour in contours]
    cv2.fillPoly(drawn, [contour for contour in corners if len(contour) > 2] or list(contours), 1.0)
    return drawn


Way = Callable[[np.ndarray, BoxMask, np.random.Generator], np.ndarray]
_WAYS: dict[str, tuple[Way, ...]] = {
    MIXED: (_prototype, _prototype, _mask_head, _stride_four, _polygon),
    "prototype": (_prototype,),
    "mask_head": (_mask_head,),
    "stride": (_stride_four,),
    "polygon": (_polygon,),
}
WAYS = tuple(_WAYS)


def _through_grid(soft: np.ndarray, cell: float | tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """Average into cells of ``cell`` pixels, blur, add noise, and interpolate back, like a network of that stride."""
    small = cv2.GaussianBlur(to_cells(soft, cell), (0, 0), rng.uniform(0.4, 1.0))
    small += _smooth_noise(small.shape, 1.5, rng) * rng.uniform(0.0, 0.25)
    return from_cells(small, soft.shape)


def _shifted(soft: np.ndarray, offset: np.ndarray) -> np.ndarray:
    height, width = soft.shape
    matrix = np.float32([[1, 0, offset[0]], [0, 1, offset[1]]])
    return cv2.warpAffine(soft, matrix, (width, height), flags=cv2.INTER_LINEAR)


def _local_fault(soft: np.ndarray, side: float, rng: np.random.Generator) -> np.ndarray:
    """One to three ellipses on the boundary, each added to the mask or cut out of it."""
    inside = (soft > 0.5).astype(np.uint8)
    rows, columns = np.nonzero(cv2.morphologyEx(inside, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)))
    if not rows.size:
        return soft
    changed = soft.copy()
    for _ in range(rng.integers(1, 4)):
        at = rng.integers(rows.size)
        axes = np.maximum(1, np.round(rng.uniform(0.03, 0.15, 2) * side)).astype(int)
        ellipse = (int(axes[0]), int(axes[1]))
        centre = (int(columns[at]), int(rows[at]))
        cv2.ellipse(changed, centre, ellipse, float(rng.uniform(0, 180)), 0, 360, float(rng.random() < 0.5), -1)
    return cv2.GaussianBlur(changed, (0, 0), 1.5)


def _biased(soft: np.ndarray, bias: float, rng: np.random.Generator) -> np.ndarray:
    """A binary mask whose boundary is moved outwards by ``bias`` pixels and some smooth noise."""
    inside = soft > 0.5
    if not inside.any():
        return inside
    return signed_distance(inside) < bias + _smooth_noise(soft.shape, 8.0, rng) * rng.uniform(0, 1.5)


def _smooth_noise(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise of unit variance, blurred over ``sigma`` pixels."""
    noise = cv2.GaussianBlur(rng.standard_normal(shape).astype(np.float32), (0, 0), sigma)
    return noise / (float(noise.std()) + 1e-6)


def synthesize(document: dict[str, Any], copies: int = 1, seed: int = 0, way: str = MIXED) -> list[Record]:
    """``copies`` coarse masks of every annotated instance as COCO results, in file order; crowds are left out."""
    images = ImageList(document["images"])
    rng = np.random.default_rng(seed)
    records = []
    for index in positions_by_kind(document["annotations"]).get(INSTANCES, ()):
        annotation = document["annotations"][index]
        mask = decode_mask(annotation["segmentation"], images.frame(annotation["image_id"]))
        for _ in range(copies if mask.area else 0):
            coarse = coarsen(mask, rng, way)
            identity = {key: annotation[key] for key in ("image_id", "category_id")}
            records.append({**identity, "score": 1.0, "bbox": coarse.bbox, "segmentation": encode_mask(coarse)})
    return records
