"""The one rule for reading a photo for its masks: in the orientation and the frame that the masks were made in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from bpr.errors import BadMask
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, frame_of
from bpr.io.image_finder import ImageFinder, existing
from bpr.io.image_header import Frame
from bpr.io.images import read_shown
from bpr.io.pixels import AS_THEY_ARE, PixelOptions, Range
from bpr.raster.places import ImageWindows


class Photo(NamedTuple):
    """A photo and the frame of its masks.

    Attributes:
        pixels: (H, W, 3) uint8 RGB.
        listed: (H, W) of the images list; None where no list states a size.
        ranges: the values that are black and white in its bands; empty for a plain photo.
        remark: one line about what was chosen for a photo that is not plain; else empty.
    """

    pixels: np.ndarray
    listed: Frame | None = None
    ranges: Sequence[Range] = ()
    remark: str = ""

    @property
    def frame(self) -> Frame:
        return self.pixels.shape[0], self.pixels.shape[1]

    def mask(self, segmentation: Any) -> BoxMask:
        """The mask of an object in this photo.

        Raises:
            BadMask: the segmentation is malformed, or was not made for an image of this size.
        """
        if self.listed and self.listed != self.frame and isinstance(segmentation, list):
            height, width = self.frame
            wanted = f"expected the image of {self.listed[0]}x{self.listed[1]} (height x width) of the images list"
            raise BadMask(f"polygons: {wanted}, got {height}x{width}; correct the list or give that image")
        return decode_mask(segmentation, self.frame)


def read_photo(images: ImageFinder, image_id: Any, segmentations: Iterable[Any], options: PixelOptions = AS_THEY_ARE) -> Photo:
    """Read the photo of some masks.

    Masks are made for a photo as its EXIF tag turns it, or as it is stored. An RLE states its size; polygons have the
    size of the images list. The first of these sizes that the photo has in either way decides how it is read.

    Raises:
        BadImage: the photo cannot be found or read.
    """
    if isinstance(images, ImageWindows):
        seen = images.read(image_id, options)
        return Photo(seen.pixels, None, seen.ranges, seen.remark)
    listed = images.frame(image_id)
    seen = read_shown(existing(images.path(image_id)), *map(frame_of, segmentations), listed, options=options)
    return Photo(seen.pixels, listed, seen.ranges, seen.remark)
