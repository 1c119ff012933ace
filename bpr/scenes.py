"""Painted scenes with exact ground truth, coarse masks like those of detectors, and one real photograph.

Legend: H W frame, MH MW fine canvas (M times the frame), polygons (n, 2) as x, y.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from bpr.geometry.boxes import grow
from bpr.geometry.coarse_grid import from_cells, signed_distance, to_cells
from bpr.geometry.masks import BoxMask
from bpr.io.images import read_image

CoarseKind = Literal["mask_head", "prototype"]

FINE = 3
"""M: outlines are drawn on a canvas this many times larger, for anti-aliased edges and exact coverage of pixels."""
LEAST_VISIBLE = 0.004
"""Objects whose visible part is smaller than this share of the frame get no mask."""
MASK_HEAD_CELLS = 28
"""Cells along a side of the box on which Mask R-CNN predicts a mask."""
PROTOTYPE_CELLS = 160
"""Cells along the longer side of the frame on which YOLO predicts masks."""
OUTWARD_BIAS = (1.0, 2.0)
"""The range, in pixels, by which coarse masks are grown: masks of detectors are systematically too large."""


@dataclass(frozen=True, eq=False)
class Scene:
    """An (H, W, 3) uint8 RGB ``image`` and the masks of the visible part of every object, farthest object first."""

    image: np.ndarray
    masks: list[BoxMask]


def paint_scene(seed: int, frame: tuple[int, int] = (480, 640)) -> Scene:
    """Paint five to eight objects over a background, from back to front. Equal seeds give equal scenes.

    Args:
        frame: (H, W) of the image in pixels.
    """
    rng = np.random.default_rng(seed)
    canvas = _texture(frame, rng)
    owners = np.full((frame[0] * FINE, frame[1] * FINE), -1, np.int8)
    count = int(rng.integers(5, 9))
    for index, centre in enumerate(_centres(count, rng)):
        size = float(rng.uniform(0.15, 0.27)) * min(frame)
        outline = _SHAPES[int(rng.integers(len(_SHAPES)))](rng)
        angle = float(rng.uniform(0, 2 * np.pi))
        inside = _filled(outline, size * FINE, centre * owners.shape[::-1], angle, owners.shape)
        canvas = _painted(canvas, _coverage(inside, frame), size, rng)
        owners[inside] = index
    coverages = (_coverage(owners == index, frame) for index in range(count))
    masks = [BoxMask.from_frame(coverage > 0.5) for coverage in coverages]
    least = LEAST_VISIBLE * frame[0] * frame[1]
    return Scene(_photographed(canvas, rng), [mask for mask in masks if mask.area > least])


def _centres(count: int, rng: np.random.Generator) -> np.ndarray:
    """(count, 2) centres of objects as x, y fractions of the frame.

    They are jittered cells of a 4x2 grid, so that objects touch but do not pile up.
    """
    cells = rng.permutation(8)[:count]
    centres = np.stack([(cells % 4 + 0.5) / 4, (cells // 4 + 0.5) / 2], axis=1)
    return centres + rng.uniform(-0.08, 0.08, (count, 2))


def _coverage(inside: np.ndarray, frame: tuple[int, int]) -> np.ndarray:
    """(H, W) float32: the share of each pixel that a fine (MH, MW) mask covers."""
    return cv2.resize(inside.astype(np.float32), frame[::-1], interpolation=cv2.INTER_AREA)


def _photographed(canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The (H, W, 3) uint8 image of a canvas, with the blur of a lens and the noise of a sensor."""
    image = cv2.GaussianBlur(canvas, (0, 0), 0.6)
    noise = rng.standard_normal(image.shape, np.float32)
    return np.clip(image + noise * (2.0 + 0.015 * image), 0, 255).astype(np.uint8)


# Outlines.

Outline = list[np.ndarray]
"""Polygons of about unit radius around the origin, whose union is an object."""
ANGLES = np.linspace(0, 2 * np.pi, 360, endpoint=False)


def _blob(rng: np.random.Generator) -> Outline:
    return [_polar(1 + _waves(rng, (2, 3, 4, 5, 7), 0.16))]


def _leaf(rng: np.random.Generator) -> Outline:
    """Lobes of equal length with notches between them."""
    lobes = int(rng.integers(3, 8))
    radius = 0.75 + rng.uniform(0.2, 0.35) * np.cos(lobes * ANGLES) + 0.08 * np.cos(3 * lobes * ANGLES)
    return [_polar(radius + 0.3 * _waves(rng, (1, 2, 3), 0.2))]


def _ribbon(rng: np.random.Generator) -> Outline:
    """A long, bent band of varying width."""
    along = np.linspace(-1.4, 1.4, 120)
    bend = rng.uniform(-0.5, 0.5) * along**2 + rng.uniform(0.05, 0.25) * np.sin(along * rng.uniform(2, 4))
    half = (0.16 + 0.1 * np.sin(along * rng.uniform(1.5, 4) + rng.uniform(0, 6))) * np.sqrt(1 - (along / 1.42) ** 2)
    sides = np.stack([along, bend - half], 1), np.stack([along, bend + half], 1)
    return [np.concatenate([sides[0], sides[1][::-1]])]


def _creature(rng: np.random.Generator) -> Outline:
    """A body with thin, tapering limbs."""
    body = _polar(0.6 * (1 + _waves(rng, (2, 3, 4), 0.15)))
    limbs = int(rng.integers(3, 6))
    starts = 2 * np.pi * (np.arange(limbs) + rng.uniform(-0.2, 0.2, limbs)) / limbs
    return [body, *(_limb(start, rng) for start in starts)]


def _limb(start: float, rng: np.random.Generator) -> np.ndarray:
    along = np.linspace(0, 1, 40)
    angle = start + rng.uniform(-0.9, 0.9) * along**2
    spine = np.stack([np.cos(angle), np.sin(angle)], 1) * (0.3 + 1.1 * along)[:, None]
    tangent = np.gradient(spine, axis=0)
    normal = tangent[:, ::-1] * [1, -1] / np.linalg.norm(tangent, axis=1, keepdims=True)
    half = (0.17 * (1 - along) ** 0.7 + 0.035)[:, None] * normal
    return np.concatenate([spine - half, (spine + half)[::-1]])


_SHAPES: tuple[Callable[[np.random.Generator], Outline], ...] = (_blob, _leaf, _ribbon, _creature)


def _waves(rng: np.random.Generator, orders: tuple[int, ...], size: float) -> np.ndarray:
    """(360,) values of a random Fourier series over the angle, with smaller amplitudes for higher orders."""
    waves = []
    for order in orders:
        amplitude = rng.normal(0, size / order**0.7)
        waves.append(amplitude * np.cos(order * ANGLES + rng.uniform(0, 2 * np.pi)))
    return np.sum(waves, axis=0)


def _polar(radius: np.ndarray) -> np.ndarray:
    return np.maximum(radius, 0.15)[:, None] * np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)


def _filled(outline: Outline, size: float, centre: np.ndarray, angle: float, shape: tuple[int, int]) -> np.ndarray:
    """(MH, MW) bool: the outline scaled to ``size`` pixels, rotated by ``angle`` radians and moved to ``centre``."""
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    inside = np.zeros(shape, np.uint8)
    for polygon in outline:
        cv2.fillPoly(inside, [np.round(polygon @ rotation * size + centre).astype(np.int32)], 1)
    return inside > 0


# Colour and light.


def _palette(rng: np.random.Generator) -> np.ndarray:
    """(3, 3) RGB in 0..255: three related colours, from dark to light."""
    hue = rng.uniform(0, 360) + rng.normal(0, 18, 3)
    saturation = np.clip(rng.uniform(0.15, 0.7) + rng.normal(0, 0.1, 3), 0, 1)
    value = np.clip(rng.uniform(0.3, 0.85) * np.array([0.68, 1.0, 1.3]), 0, 1)
    hsv = np.stack([hue % 360, saturation, value], axis=1).astype(np.float32)
    return cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0] * 255


def _texture(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """(h, w, 3) float32 RGB: smooth noise of several scales on a gradient, coloured by a random palette."""
    (low, middle, high), (height, width) = _palette(rng).astype(np.float32), shape
    direction = rng.uniform(-1, 1, 2)
    rows, columns = np.linspace(-1, 1, height, dtype=np.float32)[:, None], np.linspace(-1, 1, width, dtype=np.float32)
    field = np.float32(direction[0]) * rows + np.float32(direction[1]) * columns
    for cells, weight in ((4, 0.5), (12, 0.35), (40, 0.3), (130, 0.2)):
        field += np.float32(weight) * _noise(shape, cells, rng)
    if rng.random() < 0.35:
        field += np.float32(0.5) * np.sin(field * np.float32(rng.uniform(4, 9)))
    position = np.clip(1 + 0.6 * field, 0, 2)[..., None]
    return np.where(position < 1, low + (middle - low) * position, middle + (high - middle) * (position - 1))


def _noise(shape: tuple[int, int], cells: int, rng: np.random.Generator) -> np.ndarray:
    """(h, w) float32: smooth noise of unit variance with about ``cells`` hills along the longer side."""
    step = max(shape) / cells
    grid = rng.standard_normal((int(shape[0] / step) + 2, int(shape[1] / step) + 2)).astype(np.float32)
    return cv2.resize(grid, shape[::-1], interpolation=cv2.INTER_CUBIC)


def _painted(canvas: np.ndarray, coverage: np.ndarray, size: float, rng: np.random.Generator) -> np.ndarray:
    """The canvas with the object's shadow and, above it, the object, lit from the upper left."""
    shift = np.array([[1, 0, 0.06 * size], [0, 1, 0.09 * size]], np.float32)
    shadow = cv2.GaussianBlur(cv2.warpAffine(coverage, shift, coverage.shape[::-1]), (0, 0), 0.06 * size)
    dome = cv2.GaussianBlur(coverage, (0, 0), 0.16 * size)
    slope = cv2.Sobel(dome, cv2.CV_32F, 1, 0) + cv2.Sobel(dome, cv2.CV_32F, 0, 1)
    light = 1 + np.clip(0.12 * size * slope, -0.4, 0.4)
    surface = np.clip(_texture(coverage.shape, rng) * light[..., None], 0, 255)
    shaded = canvas * (1 - np.float32(rng.uniform(0.2, 0.45)) * shadow[..., None])
    return shaded + (surface - shaded) * coverage[..., None]


# Coarse masks.


def coarse_masks(scene: Scene, kind: CoarseKind, seed: int = 0) -> list[BoxMask]:
    """One coarse mask per mask of the scene, with the errors of a detector's mask.

    Args:
        kind: ``mask_head``: 28x28 cells on a slightly wrong box, as in Mask R-CNN; ``prototype``: 160x160 cells on the
            letterboxed frame, cut at the box, as in YOLO.
        seed: of the random errors.
    """
    rng = np.random.default_rng(seed)
    return [_coarse(mask, kind, rng) for mask in scene.masks]


def _coarse(mask: BoxMask, kind: CoarseKind, rng: np.random.Generator) -> BoxMask:
    x0, y0, x1, y1 = mask.box
    margin = 0.05 * max(x1 - x0, y1 - y0)
    box = grow(mask.box, round(margin * rng.uniform(0.5, 1.5)), mask.frame)
    soft = mask.window(box).astype(np.float32)
    cell = max(mask.frame) / PROTOTYPE_CELLS
    sides = cell if kind == "prototype" else (soft.shape[1] / MASK_HEAD_CELLS, soft.shape[0] / MASK_HEAD_CELLS)
    cells = cv2.GaussianBlur(to_cells(soft, sides), (0, 0), 0.7)
    cells = cells + np.float32(0.06) * rng.standard_normal(cells.shape, np.float32)
    grown = signed_distance(from_cells(cells, soft.shape) > 0.5) < rng.uniform(*OUTWARD_BIAS)
    return BoxMask(grown, box[0], box[1], mask.frame).trimmed()


# A real photograph.

PHOTOGRAPH = Path(__file__).parent / "assets" / "camera.png"
OUTLINE = (
    (0, 511), (0, 244), (24, 215), (50, 175), (80, 140), (125, 122), (150, 104), (162, 104), (175, 78), (205, 62),
    (240, 75), (272, 108), (268, 136), (326, 136), (326, 166), (334, 190), (318, 222), (300, 230), (306, 275),
    (248, 314), (208, 296), (180, 340), (142, 384), (152, 450), (152, 511),
)  # fmt: skip
"""The corners of the man and his camera as x, y, drawn by hand."""


def real_photograph() -> Scene:
    """A photograph of a man behind a camera, and his hand-drawn outline, which is no ground truth.

    The photograph is ``camera.png`` of scikit-image's data, by Lav Varshney, CC0 (no rights reserved).
    """
    image = read_image(PHOTOGRAPH)
    outline = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(outline, [np.array(OUTLINE, np.int32)], 1)
    return Scene(image, [BoxMask.from_frame(outline > 0)])
