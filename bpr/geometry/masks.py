"""A mask kept as its box: no work on the full frame for an instance that fills a corner of it.

Legend: H W frame, h w box, boxes are XYXY, integer, half-open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from bpr.geometry.boxes import Box, at, intersect, is_empty


@dataclass(frozen=True, eq=False)
class BoxMask:
    """One instance's mask inside a frame of ``frame = (H, W)`` pixels.

    ``pixels`` is (h, w) bool; its top left pixel lies at column ``left`` and row ``top`` of the frame.
    Outside ``pixels`` the mask is background.

    >>> mask = np.zeros((4, 6), bool); mask[1:3, 2:5] = True
    >>> box = BoxMask.from_frame(mask)
    >>> box.left, box.top, box.pixels.shape, box.area
    (2, 1, (2, 3), 6)
    >>> np.array_equal(box.to_frame(), mask)
    True
    """

    pixels: np.ndarray
    left: int
    top: int
    frame: tuple[int, int]

    @classmethod
    def from_frame(cls, mask: np.ndarray) -> BoxMask:
        """Cut an (H, W) mask, any non-zero pixel being foreground, to its tight box."""
        mask = np.asarray(mask)
        if mask.ndim != 2:
            raise ValueError(f"mask: expected (H, W), got an array of shape {mask.shape}")
        foreground = mask != 0  # of bools too: in those of Pillow and of views the byte of True is 255
        height, width = foreground.shape
        return cls(foreground, 0, 0, (height, width)).trimmed()

    @classmethod
    def empty(cls, frame: tuple[int, int]) -> BoxMask:
        """No foreground in a frame."""
        return cls(np.zeros((0, 0), bool), 0, 0, frame)

    def to_frame(self) -> np.ndarray:
        """The (H, W) bool mask."""
        mask = np.zeros(self.frame, bool)
        mask[at(self.box)] = self.pixels
        return mask

    @property
    def box(self) -> Box:
        height, width = self.pixels.shape
        return self.left, self.top, self.left + width, self.top + height

    @property
    def area(self) -> int:
        return int(np.count_nonzero(self.pixels))

    @property
    def bbox(self) -> list[float]:
        """COCO's XYWH of the foreground, zeros when there is none."""
        left, top, width, height = self._tight()
        return [float(self.left + left), float(self.top + top), float(width), float(height)] if width else [0.0] * 4

    def trimmed(self) -> BoxMask:
        """The same mask with the tightest box; an empty mask gets an empty box at the origin.

        The pixels are a copy: a small mask keeps no large array alive, and does not change when that array does.
        """
        left, top, width, height = self._tight()
        if not width:
            return BoxMask.empty(self.frame)
        return BoxMask(self.pixels[top : top + height, left : left + width].copy(), self.left + left, self.top + top, self.frame)

    def _tight(self) -> Sequence[int]:
        """Left, top, width and height of the foreground within ``pixels``; zeros when there is none."""
        return cv2.boundingRect(self.pixels.view(np.uint8)) if self.pixels.size else (0, 0, 0, 0)

    def clipped(self) -> BoxMask:
        """What lies inside of the frame, with the tightest box; the mask may reach beyond it."""
        box = intersect(self.box, (0, 0, *self.frame[::-1]))
        return BoxMask.empty(self.frame) if is_empty(box) else BoxMask(self.window(box), box[0], box[1], self.frame).trimmed()

    def window(self, box: Box) -> np.ndarray:
        """The mask inside ``box`` as a new (y1 - y0, x1 - x0) bool array, background beyond the frame."""
        window = np.zeros((box[3] - box[1], box[2] - box[0]), bool)
        part = intersect(box, self.box)
        if not is_empty(part):
            window[at(part, box)] = self.pixels[at(part, self.box)]
        return window

    def paint(self, canvas: np.ndarray, value: Any) -> None:
        """Set the foreground's pixels of an (H, W) array."""
        canvas[at(self.box)][self.pixels] = value

    def equals(self, other: BoxMask) -> bool:
        """Same frame and same foreground pixels, whatever the boxes."""
        mine, theirs = self.trimmed(), other.trimmed()
        return self.frame == other.frame and mine.box == theirs.box and np.array_equal(mine.pixels, theirs.pixels)


def masks_of_numbers(labels: np.ndarray, void: int = 0) -> dict[int, BoxMask]:
    """The mask of every number but ``void`` of an (H, W) array of whole numbers, in the order of their first pixels.

    >>> masks = masks_of_numbers(np.array([[0, 7, 7], [3, 3, 7]]))
    >>> list(masks), masks[7].box, masks[7].pixels.tolist()
    ([7, 3], (1, 0, 3, 2), [[True, True], [False, True]])
    """
    flat = np.flatnonzero(labels != void)
    if not flat.size:
        return {}
    numbers, first, which, counts = np.unique(
        labels.ravel()[flat], return_index=True, return_inverse=True, return_counts=True
    )
    rows, columns = np.divmod(flat[np.argsort(which, kind="stable")], labels.shape[1])  # number by number, from above
    starts = np.cumsum(counts) - counts
    left, right = np.minimum.reduceat(columns, starts), np.maximum.reduceat(columns, starts) + 1
    top, bottom = rows[starts], rows[starts + counts - 1] + 1
    frame = (labels.shape[0], labels.shape[1])
    masks = {}
    for i in np.argsort(first).tolist():
        pixels = labels[top[i] : bottom[i], left[i] : right[i]] == numbers[i]
        masks[numbers[i].item()] = BoxMask(pixels, int(left[i]), int(top[i]), frame)
    return masks


def check_image(image: np.ndarray, frame: tuple[int, int]) -> None:
    """Raise a ValueError unless the image is (H, W, 3) uint8 and of the frame's size."""
    if image.shape != (*frame, 3) or image.dtype != np.uint8:
        raise ValueError(f"image: expected {(*frame, 3)} uint8, got {image.shape} {image.dtype}")
