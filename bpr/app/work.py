"""Decode uploaded files and refine a mask; nothing is written to a disk.

Legend: H W photo, K patches.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from bpr.errors import BadImage, BadMask
from bpr.io.image_header import stated_frame
from bpr.io.images import check_size, decode_image
from bpr.io.mask_picture import EMPTY, decode_mask_picture, extent, one_object
from bpr.io.png import Palette
from bpr.refinement.refiner import Refiner

MOST_PIXELS = 25_000_000
"""The largest photo or mask by default: a photo of a 24-megapixel camera fits."""


@dataclass(frozen=True, eq=False)
class GivenMask:
    """A decoded mask.

    Attributes:
        name: of its file.
        numbers: (H, W) uint8 or uint16; 0 is background.
        palette: of its file, None if that had none.
        remark: one line about what is odd about it.
    """

    name: str
    numbers: np.ndarray
    palette: Palette | None = None
    remark: str = ""


@dataclass(frozen=True, eq=False)
class RefinedMask:
    """A refined mask.

    Attributes:
        numbers: (H, W), with the dtype and the foreground values of the given mask.
        changed: how many pixels changed between foreground and background.
        boxes: (K, 4) XYXY, half-open, the patches, ordered by how many pixels changed in them, most first.
        seconds: from the decoded photo to the refined mask.
    """

    numbers: np.ndarray
    changed: int
    boxes: np.ndarray
    seconds: float


def read_photo(content: bytes, name: str, most: int = MOST_PIXELS) -> np.ndarray:
    """(H, W, 3) uint8 RGB, rotated as its EXIF tag demands.

    Raises:
        BadImage: not an image, or one with more than ``most`` pixels.
    """
    _check_pixels(content, name, most)
    return decode_image(content, name)


def read_mask(content: bytes, name: str, most: int = MOST_PIXELS) -> GivenMask:
    """A picture of one object, read as :func:`bpr.read_mask` reads a file.

    Raises:
        BPRError: not a picture, a damaged one, one with more than ``most`` pixels, one without a foreground, or one of
            several objects.
    """
    _check_pixels(content, name, most)
    mask = GivenMask(name, *decode_mask_picture(content, name))
    remark = extent(one_object(mask.numbers, name))
    if remark == EMPTY:
        expected = "expected a mask with a foreground"
        raise BadMask(f"{name}: {expected}, got one that is 0 everywhere; draw or choose another")
    return replace(mask, remark=f"{name}: the mask {remark}; is it the right file?" if remark else "")


def refine(refiner: Refiner, photo: np.ndarray, mask: GivenMask) -> RefinedMask:
    """The refined mask, as ``bpr.load(...)(photo, mask)`` returns it.

    Raises:
        BadMask: the mask and the photo differ in size.
    """
    if mask.numbers.shape != photo.shape[:2]:
        expected, got = f"{_size(photo.shape)} pixels (width x height) as the photo", _size(mask.numbers.shape)
        raise BadMask(f"{mask.name}: expected {expected}, got {got}; save it at the photo's size")
    start = time.perf_counter()
    refined = refiner(photo, mask.numbers, return_patches=True)
    seconds = time.perf_counter() - start
    changes = (refined.masks > 0) != (mask.numbers > 0)
    boxes = refined.patches[0].boxes
    counts = [int(changes[max(y0, 0) : y1, max(x0, 0) : x1].sum()) for x0, y0, x1, y1 in boxes.tolist()]
    most_changed_first = np.argsort(-np.array(counts, int), kind="stable")
    return RefinedMask(refined.masks, int(changes.sum()), boxes[most_changed_first], seconds)


def _check_pixels(content: bytes, name: str, most: int) -> None:
    """Refuse a file by its header, before it is decoded."""
    check_size(content, name)
    frame = stated_frame(content)
    if frame is not None and frame[0] * frame[1] > most:
        remedy = "shrink it, or start bpr app with a larger --max-pixels"
        raise BadImage(f"{name}: expected at most {most} pixels, got {_size(frame)}; {remedy}")


def _size(frame: tuple[int, ...]) -> str:
    """Width x height."""
    return f"{frame[1]}x{frame[0]}"
