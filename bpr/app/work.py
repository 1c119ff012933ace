"""Decode uploaded files and refine masks; nothing is written to a disk.

Legend: H W photo as it is worked on, K patches.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np

from bpr.errors import BadImage, BadMask
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask
from bpr.io.image_header import stated_frame
from bpr.io.images import check_size, decode_shown
from bpr.io.mask_picture import EMPTY, decode_mask_picture, extent, one_object
from bpr.io.png import Palette, encode_png
from bpr.refinement.outcome import StageClock
from bpr.refinement.predictor import Instance, Settled
from bpr.refinement.refiner import Refiner

WORK_PIXELS = 25_000_000
"""Larger photos are scaled down to so many pixels by default: a photo of a 24-megapixel camera is not."""
MOST_PIXELS = 250_000_000
"""The largest photo or mask: a photo of a 200-megapixel phone fits."""
Frame = tuple[int, int]


class GivenMask(NamedTuple):
    """A decoded mask.

    Attributes:
        name: of its file.
        numbers: uint8 or uint16 of the file's size; 0 is background.
        palette: of its file, None if that had none.
        remark: one line about what is odd about it; else empty.
    """

    name: str
    numbers: np.ndarray
    palette: Palette | None
    remark: str


def work_frame(frame: Frame, most: int) -> Frame:
    """The size at which a photo is worked on: its own, or the same shape with at most ``most`` pixels.

    >>> work_frame((6120, 8160), 25_000_000), work_frame((300, 400), 25_000_000)
    ((4330, 5773), (300, 400))
    """
    scale = math.sqrt(most / (frame[0] * frame[1]))
    return frame if scale >= 1 else (max(1, int(frame[0] * scale)), max(1, int(frame[1] * scale)))


def read_photo(content: bytes, name: str, most: int = WORK_PIXELS) -> tuple[np.ndarray, Frame]:
    """A photo, rotated as its EXIF tag demands.

    Returns:
        (H, W, 3) uint8 RGB, scaled down to ``most`` pixels, and the height and width of the file.

    Raises:
        BadImage: not an image, or one with more than MOST_PIXELS.
    """
    _check_pixels(content, name)
    pixels = decode_shown(content, name).pixels
    frame = pixels.shape[0], pixels.shape[1]
    return _scaled(pixels, work_frame(frame, most)), frame


def read_mask(content: bytes, name: str) -> GivenMask:
    """A picture of one object, read as :func:`bpr.read_mask` reads a file.

    Raises:
        BPRError: not a picture, a damaged one, one with more than MOST_PIXELS, one without a foreground, or one of
            several objects.
    """
    _check_pixels(content, name)
    numbers, palette = decode_mask_picture(content, name)
    remark = extent(one_object(numbers, name))
    if remark == EMPTY:
        expected = "expected a mask with a foreground"
        raise BadMask(f"{name}: {expected}, got one that is 0 everywhere; draw or choose another")
    return GivenMask(name, numbers, palette, f"{name}: the mask {remark}; is it the right file?" if remark else "")


def check_sizes(masks: Sequence[GivenMask], *frames: tuple[int, ...]) -> None:
    """Raise a BadMask where a mask has neither the size of the photo, the first, nor another of the sizes."""
    for mask in masks:
        if mask.numbers.shape not in frames:
            expected, got = f"{_size(frames[0])} pixels (width x height) as the photo", _size(mask.numbers.shape)
            raise BadMask(f"{mask.name}: expected {expected}, got {got}; save it at the photo's size")


def refine(
    refiner: Refiner, photo: np.ndarray, masks: Sequence[GivenMask], clock: StageClock
) -> list[tuple[BoxMask, Settled, np.ndarray]]:
    """For each mask: as it is worked on, as ``bpr.load(...)(photo, masks)`` returns it, and the (K, 4) boxes of its patches.

    The list is empty where the clock gave up.

    Args:
        photo: (H, W, 3) uint8 RGB.
        masks: of the size of the photo's file, or of that at which it is worked on (:func:`check_sizes`).
    """
    frame = photo.shape[0], photo.shape[1]
    instances = [Instance(BoxMask.from_frame(resized(mask.numbers > 0, frame)), key) for key, mask in enumerate(masks)]
    found = []
    for predicted in refiner.predict([refiner.start(photo, instances, None)], clock):
        for instance, one, patches in zip(instances, refiner.put_back(predicted), predicted.by_instance(), strict=True):
            found.append((instance.mask, one, patches.boxes))
    return found


def row(given: GivenMask, frame: Frame, before: BoxMask, refined: Settled, boxes: np.ndarray) -> dict[str, Any]:
    """A refined mask as the page receives it.

    ``before`` and ``after`` are COCO's run lengths at the size at which the masks are worked on. ``png`` is the refined mask
    at the size of the photo's file, ``frame``, with the dtype, foreground value and palette of the given one. ``boxes`` are
    the patches, XYXY and half-open, ordered by how many pixels changed in them, most first.
    """
    after, numbers = refined.mask.to_frame(), given.numbers
    changes = before.to_frame() != after
    if changes.any() or numbers.shape != frame:
        numbers = resized(after, frame) * numbers.max()
    return {
        "before": encode_mask(before)["counts"],
        "after": encode_mask(refined.mask)["counts"],
        "foreground": before.area,
        "changed": int(np.count_nonzero(changes)),
        "boxes": _most_changed_first(boxes, changes).tolist(),
        "verdict": refined.verdict and refined.verdict._asdict(),
        "png": base64.b64encode(encode_png(numbers, given.palette)).decode(),
    }


def _most_changed_first(boxes: np.ndarray, changes: np.ndarray) -> np.ndarray:
    counts = [int(changes[max(y0, 0) : y1, max(x0, 0) : x1].sum()) for x0, y0, x1, y1 in boxes.tolist()]
    return boxes[np.argsort(-np.array(counts, int), kind="stable")]


def resized(mask: np.ndarray, frame: Frame) -> np.ndarray:
    """Bool of another size: where more than half of a pixel is covered."""
    return mask if mask.shape == frame else _scaled(mask * np.uint8(255), frame) > 127


def _scaled(pixels: np.ndarray, frame: Frame) -> np.ndarray:
    if pixels.shape[:2] == frame:
        return pixels
    shrinks = frame[0] < pixels.shape[0]
    return cv2.resize(pixels, frame[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _check_pixels(content: bytes, name: str) -> None:
    """Refuse a file by its header, before it is decoded."""
    check_size(content, name)
    frame = stated_frame(content)
    if frame is not None and frame[0] * frame[1] > MOST_PIXELS:
        raise BadImage(f"{name}: expected at most {MOST_PIXELS} pixels, got {_size(frame)}; shrink it")


def _size(frame: tuple[int, ...]) -> str:
    """Width x height."""
    return f"{frame[1]}x{frame[0]}"
