"""What the page asks for, as functions of the bytes that it sends; nothing is written to a disk.

Legend: H W photo, K patches.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from bpr.errors import BadImage, BadMask
from bpr.io.image_header import stated_frame
from bpr.io.images import check_size, decode_image
from bpr.io.png import Palette, decode_colours, decode_labels, is_coloured
from bpr.refinement.refiner import Refiner

MOST_PIXELS = 25_000_000
"""Of a photo or a mask: what a camera of 24 megapixels takes."""
WHITE = 255
"""Foreground of a mask that has colours and no numbers."""


@dataclass(frozen=True, eq=False)
class GivenMask:
    """(H, W) uint8 or uint16 ``numbers`` of which any but 0 is foreground, and the palette of its file if that had one."""

    name: str
    numbers: np.ndarray
    palette: Palette | None = None


@dataclass(frozen=True, eq=False)
class Refined:
    """What became of a mask.

    Attributes:
        numbers: (H, W), of the dtype and with the foreground of the given ones.
        changed: pixels that were foreground and are not, or the other way round.
        boxes: (K, 4) XYXY, half-open, of the patches; those in which most pixels changed come first.
        seconds: from the decoded photo to the refined mask.
    """

    numbers: np.ndarray
    changed: int
    boxes: np.ndarray
    seconds: float


def read_photo(content: bytes, name: str, most: int = MOST_PIXELS) -> np.ndarray:
    """(H, W, 3) uint8 RGB, turned as its EXIF tag says.

    Raises:
        BadImage: not an image, or one of more than ``most`` pixels.
    """
    _check_pixels(content, name, most)
    return decode_image(content, name)


def read_mask(content: bytes, name: str, most: int = MOST_PIXELS) -> GivenMask:
    """A PNG of any kind: of numbers (grey, palette), or of colours, where any but black is foreground.

    Raises:
        BPRError: not a PNG, damaged, of more than ``most`` pixels, or without a foreground.
    """
    _check_pixels(content, name, most)
    if is_coloured(content, name):
        mask = GivenMask(name, np.where(decode_colours(content, name).any(axis=2), WHITE, 0).astype(np.uint8))
    else:
        mask = GivenMask(name, *decode_labels(content, name))
    if not mask.numbers.any():
        raise BadMask(
            f"{name}: expected a mask with a foreground, got one that is 0 everywhere; draw or choose another"
        )
    return mask


def refine(refiner: Refiner, photo: np.ndarray, mask: GivenMask) -> Refined:
    """The mask with better boundaries: what ``bpr.load(...)(photo, mask)`` gives.

    Raises:
        BadMask: a mask of another size than the photo.
    """
    if mask.numbers.shape != photo.shape[:2]:
        wanted, got = _size(photo.shape[:2]), _size(mask.numbers.shape)
        raise BadMask(
            f"{mask.name}: expected {wanted} pixels (width x height) as the photo, got {got}; save it at the photo's size"
        )
    start = time.perf_counter()
    refined = refiner(photo, mask.numbers, return_patches=True)
    seconds = time.perf_counter() - start
    changes = (refined.masks > 0) != (mask.numbers > 0)
    return Refined(refined.masks, int(changes.sum()), _most_changed_first(refined.patches[0].boxes, changes), seconds)


def _most_changed_first(boxes: np.ndarray, changes: np.ndarray) -> np.ndarray:
    counts = [int(changes[max(y0, 0) : y1, max(x0, 0) : x1].sum()) for x0, y0, x1, y1 in boxes.tolist()]
    return boxes[np.argsort(-np.array(counts, int), kind="stable")]


def _check_pixels(content: bytes, name: str, most: int) -> None:
    """Before anything is decoded."""
    check_size(content, name)
    frame = stated_frame(content)
    if frame is not None and frame[0] * frame[1] > most:
        remedy = "shrink it, or start bpr app with a larger --max-pixels"
        raise BadImage(f"{name}: expected at most {most} pixels, got {_size(frame)}; {remedy}")


def _size(frame: tuple[int, ...]) -> str:
    """As people say it: width first."""
    return f"{frame[1]}x{frame[0]}"
