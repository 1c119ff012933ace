"""An instance cut out of its image: what the page shows of it.

Legend: H W frame, h w cut, boxes are XYXY, integer, half-open.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from bpr.errors import BPRError
from bpr.geometry.boxes import Box
from bpr.report.draw import BACKGROUND, changed_places, draw_contour
from bpr.report.html.collect import Instance

COARSE, REFINED = (255, 138, 28), (64, 180, 255)
"""Of the contours, as in assets/report.css; told apart with any colour vision."""
THUMBNAIL = 288
LARGEST_CUT = 960
"""Longest sides in pixels; a larger cut is shrunk, its masks are not."""
QUALITY = 84
LEAST_CONTEXT = 8
CONTEXT = 0.12
"""Of the instance's longer side, on every side."""
PLACES = 4
LEAST_PLACE = 24


@dataclass(frozen=True, eq=False)
class Pictures:
    """JPEG files of one instance, the box that they show, and the places where its boundary changed most.

    ``places`` are x, y, side in pixels of the box.
    """

    box: Box
    cut: bytes
    thumbnail: bytes
    places: list[tuple[int, int, int]]


def pictures_of(instance: Instance, image: np.ndarray) -> Pictures:
    """Cut ``instance`` out of its (H, W, 3) uint8 RGB image."""
    box = cut_box(instance.box, instance.before.frame)
    x0, y0, x1, y1 = box
    cut = image[y0:y1, x0:x1]
    before, after = instance.before.window(box), instance.after.window(box)
    return Pictures(box, _jpeg(_shrunk(cut, LARGEST_CUT)), _jpeg(_thumbnail(cut, before, after)), _places(np.logical_xor(before, after)))


def cut_box(box: Box, frame: tuple[int, int]) -> Box:
    """A square around ``box`` with some context, moved into the frame (H, W) and cut where the frame is smaller.

    >>> cut_box((0, 10, 100, 50), (200, 300))
    (0, 0, 124, 124)
    """
    longest = max(box[2] - box[0], box[3] - box[1])
    side = longest + 2 * max(LEAST_CONTEXT, round(CONTEXT * longest))
    x0, x1 = _span(box[0], box[2], side, frame[1])
    y0, y1 = _span(box[1], box[3], side, frame[0])
    return x0, y0, x1, y1


def grey_image(frame: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) uint8: stands in for an image that cannot be read."""
    return np.full((*frame, 3), 128, np.uint8)


def _places(changed: np.ndarray) -> list[tuple[int, int, int]]:
    """Squares of a sixth of the (h, w) cut that hold the most change; looked for by cells, a large cut has many pixels."""
    side = min(max(LEAST_PLACE, max(changed.shape) // 6), *changed.shape)
    step = max(1, side // LEAST_PLACE)
    rows, columns = (length // step for length in changed.shape)
    cells = changed[: rows * step, : columns * step].reshape(rows, step, columns, step).max(axis=(1, 3))[None]
    found = changed_places(np.zeros_like(cells), cells, (side // step, side // step), PLACES)
    return [(left * step, top * step, side // step * step) for top, left in found]


def _span(low: int, high: int, side: int, end: int) -> tuple[int, int]:
    start = min(max((low + high - side) // 2, 0), max(end - side, 0))
    return start, min(start + side, end)


def _thumbnail(cut: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 RGB: small, with both contours."""
    scale = THUMBNAIL / max(cut.shape[:2])
    size = tuple(max(1, round(side * scale)) for side in cut.shape[1::-1])
    # Enlarged, the pixels of a mask stay squares: its contour runs along their edges.
    ways = (cv2.INTER_CUBIC, cv2.INTER_NEAREST) if scale > 1 else (cv2.INTER_AREA, cv2.INTER_AREA)
    picture = cv2.resize(cut, size, interpolation=ways[0])
    sides = [cv2.resize(mask.astype(np.uint8) * 255, size, interpolation=ways[1]) > 127 for mask in (before, after)]
    # On dark lines, which show on any image; those first, so that none hides a coloured one.
    for mask, colour, width in ((sides[0], BACKGROUND, 3), (sides[1], BACKGROUND, 3), (sides[0], COARSE, 2), (sides[1], REFINED, 2)):
        draw_contour(picture, mask, colour, width)
    return picture


def _shrunk(image: np.ndarray, longest: int) -> np.ndarray:
    scale = longest / max(image.shape[:2])
    if scale >= 1:
        return image
    size = tuple(max(1, round(side * scale)) for side in image.shape[1::-1])
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _jpeg(image: np.ndarray) -> bytes:
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise BPRError(f"a picture of {image.shape[1]}x{image.shape[0]} pixels: OpenCV could not encode it as JPEG")
    return data.tobytes()
