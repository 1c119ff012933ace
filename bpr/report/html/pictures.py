"""The pictures of one instance: a crop of its image, a thumbnail, and the places that changed most.

Legend: H W frame, h w crop, boxes are XYXY, integer, half-open.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from bpr.geometry.boxes import Box, intersect
from bpr.report.draw import BACKGROUND, changed_places, draw_contour
from bpr.report.html.collect import Instance
from bpr.report.tiles import square_of

COARSE, REFINED = (255, 138, 28), (64, 180, 255)
"""Colours of the contours, as in assets/report.css. They are easy to tell apart with any kind of colour vision."""
THUMBNAIL = 288
"""Longest side of a thumbnail, in pixels."""
LARGEST_CROP = 960
"""Longest side of a crop's picture, in pixels. A larger crop is shrunk; its masks are not."""
QUALITY = 84
"""JPEG quality."""
CONTEXT = 0.12
"""Context around an instance as a share of its longer side."""
SMALLEST_CONTEXT = 8
PLACES = 4
"""How many places are shown."""
SMALLEST_PLACE = 24


@dataclass(frozen=True, eq=False)
class Pictures:
    """The pictures of one instance.

    Attributes:
        box: the part of the image that they show.
        crop, thumbnail: JPEG files.
        places: the squares in which the mask changed most, as (x, y, side) in pixels of the box.
    """

    box: Box
    crop: bytes
    thumbnail: bytes
    places: list[tuple[int, int, int]]


def pictures_of(instance: Instance, image: np.ndarray) -> Pictures:
    """The pictures of an instance from its (H, W, 3) uint8 RGB image."""
    box = crop_box(instance.box, instance.coarse.frame)
    x0, y0, x1, y1 = box
    crop = image[y0:y1, x0:x1]
    before, after = instance.coarse.window(box), instance.refined.window(box)
    thumbnail = _jpeg(_thumbnail(crop, before, after))
    if (scale := LARGEST_CROP / max(crop.shape[:2])) < 1:
        crop = cv2.resize(crop, _scaled_size(crop, scale), interpolation=cv2.INTER_AREA)
    return Pictures(box, _jpeg(crop), thumbnail, _places(np.logical_xor(before, after)))


def crop_box(box: Box, frame: tuple[int, int]) -> Box:
    """A square around ``box`` with some context, moved into the frame (H, W), and clipped if the frame is smaller.

    >>> crop_box((0, 10, 100, 50), (200, 300))
    (0, 0, 124, 124)
    """
    longest = max(box[2] - box[0], box[3] - box[1])
    side = longest + 2 * max(SMALLEST_CONTEXT, round(CONTEXT * longest))
    return intersect(square_of(side, box, frame), (0, 0, frame[1], frame[0]))


def _places(changed: np.ndarray) -> list[tuple[int, int, int]]:
    """The squares in which most pixels changed; their side is a sixth of the longer side of the (h, w) crop.

    Large crops are searched at a lower resolution.
    """
    side = min(max(SMALLEST_PLACE, max(changed.shape) // 6), *changed.shape)
    step = max(1, side // SMALLEST_PLACE)
    rows, columns = (length // step for length in changed.shape)
    cells = changed[: rows * step, : columns * step].reshape(rows, step, columns, step).max(axis=(1, 3))[None]
    corners = changed_places(np.zeros_like(cells), cells, (side // step, side // step), PLACES)
    return [(left * step, top * step, side // step * step) for top, left in corners]


def _thumbnail(crop: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """uint8 RGB picture with both contours; its longer side is THUMBNAIL pixels."""
    scale = THUMBNAIL / max(crop.shape[:2])
    size = _scaled_size(crop, scale)
    # An enlarged mask keeps square pixels, so that its contour runs along their edges.
    for_crop, for_masks = (cv2.INTER_CUBIC, cv2.INTER_NEAREST) if scale > 1 else (cv2.INTER_AREA, cv2.INTER_AREA)
    picture = cv2.resize(crop, size, interpolation=for_crop)
    masks = [cv2.resize(mask.astype(np.uint8) * 255, size, interpolation=for_masks) > 127 for mask in (before, after)]
    # Dark lines below the coloured ones make them visible on any image. All dark lines are drawn first.
    for colours, width in (((BACKGROUND, BACKGROUND), 3), ((COARSE, REFINED), 2)):
        for mask, colour in zip(masks, colours, strict=True):
            draw_contour(picture, mask, colour, width)
    return picture


def _scaled_size(image: np.ndarray, scale: float) -> tuple[int, ...]:
    """Width and height."""
    return tuple(max(1, round(side * scale)) for side in image.shape[1::-1])


def _jpeg(image: np.ndarray) -> bytes:
    """The file; OpenCV encodes every picture of so few pixels."""
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
