"""Which pixels of a picture are the object: of greys, of a palette, of colours, or of paint on a transparent layer.

There is one rule for all of them, whatever reads the picture:

- Where the transparency varies, the opaque part is the object, unless it is black and white itself or holds several
  flat colours.
- Grey is a probability, and the object is above one half. A colour on black counts as grey. A picture of which little is
  black or white is a photo, and refused.
- Numbers that lie in flat areas are a label map and stay as they are.
- Several colours may be several objects, so they are refused by name.

Legend: H W picture, K colours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from bpr.errors import BadMask
from bpr.io.png import Palette

SLOPE = 0.1
"""Of the pixels of a soft mask that border on another number, more than this share have a lower and a higher neighbour.

Measured: at most .064 in label maps drawn from 150 COCO images (classes, instances, random numbers, with and without
void borders), and .167 and more in masks that were smoothed, resized or stored as JPEG.
"""
VARIES = 1 / 8
"""The smallest difference, as a share of the largest value, at which transparency varies."""
NEAR, APART = 24, 56
"""Colours of 8 bits that differ by at most NEAR in every channel count as equal, by more than APART as different."""
MOST_COUNTED = 2**20
"""About so many pixels are looked at to find the common colours of paint."""
MOST_COLOURS = 8
"""A picture with more different colours than this is taken for a photo."""
FEW_COLOURS = 0.8
"""The share of a picture's pixels that have one of its main colours, unless it is a photo."""
FEW_GREYS = 0.5
"""The share of a soft mask's pixels that are black or white, unless it is a photo."""
FEW_FULL, FILLED = 0.25, 0.4
"""Numbers fill areas if less than the first share of the pixels is nearly full, and if half of the numbers fill more than
the second share of the box around their pixels."""
KERNEL = np.ones((3, 3), np.uint8)
ENDS = 32
"""Values of 8 bits at most this far from 0 or 255 are black or white."""


def hardened(numbers: np.ndarray) -> np.ndarray:
    """A soft mask as 0 and the largest value; any other (H, W) whole numbers unchanged."""
    if not is_soft(numbers):
        return numbers
    full = full_value(numbers)
    return np.where(numbers > full / 2, full, 0).astype(numbers.dtype)


def grey_object(numbers: np.ndarray, path: str | Path) -> np.ndarray:
    """:func:`hardened`, except for a picture of which little is black or white.

    Raises:
        BadMask: it is a photo, as far as one can see.
    """
    hard = hardened(numbers)
    if hard is not numbers:
        end = full_value(numbers) * ENDS / 255
        if np.count_nonzero((numbers <= end) | (numbers >= full_value(numbers) - end)) < FEW_GREYS * numbers.size:
            raise _photo("greys", path)
    return hard


def is_soft(numbers: np.ndarray) -> bool:
    """Whether (H, W) whole numbers are probabilities, scaled to 255 or 65535, and not a label map.

    Probabilities rise across a boundary, so that numbers between others lie between them in space too, whereas the
    numbers of a label map fill areas. A trimap is soft: its one number at half separates 0 from the largest.
    """
    found = levels(numbers)
    full = full_value(numbers)
    if len(found) < 3 or found[0] < 0 or not full / 2 < found[-1] <= full:
        return False
    if len(found) == 3 and found[0] == 0 and found[2] == full and abs(found[1] - full / 2) < 1.5 and _never_meet(numbers):
        return True
    if _fill_areas(numbers, full):
        return False
    pixels = numbers.astype(np.uint16)
    lowest, highest = cv2.erode(pixels, KERNEL), cv2.dilate(pixels, KERNEL)
    borders = (lowest < highest) & (pixels != 0) & (pixels != full)
    slopes = (lowest < pixels) & (pixels < highest)
    return bool(np.count_nonzero(slopes) > SLOPE * np.count_nonzero(borders))


def _never_meet(numbers: np.ndarray) -> bool:
    """Whether no pixel of the largest number has a neighbour of 0."""
    largest = (numbers == numbers.max()).view(np.uint8)
    return bool(numbers[cv2.dilate(largest, KERNEL).view(bool)].all())


def _fill_areas(numbers: np.ndarray, full: int) -> bool:
    """Whether most numbers lie in one place each, and few pixels are nearly foreground.

    Small objects that touch have other numbers on all sides, as probabilities have. But a probability occurs all along
    a boundary, or, where it lies in one place, beside a larger object of full ones.
    """
    if np.count_nonzero(numbers > full * (1 - FEW_FULL / 2)) > FEW_FULL * np.count_nonzero(numbers):
        return False
    rows, columns = np.nonzero(numbers)
    found = numbers[rows, columns]
    order = np.argsort(found, kind="stable")
    starts = np.flatnonzero(np.diff(found[order], prepend=-1))
    sides = [np.maximum.reduceat(of[order], starts) - np.minimum.reduceat(of[order], starts) + 1 for of in (rows, columns)]
    counts = np.diff(starts, append=found.size)
    # A ramp has each of its numbers in one place too, as a stripe or as a single pixel.
    are_objects = np.median(np.maximum(*sides)) < min(numbers.shape) / 2 and np.median(np.minimum(*sides)) > 1
    return bool(are_objects and np.median(counts / (sides[0] * sides[1])) > FILLED)


def full_value(numbers: np.ndarray) -> int:
    """The value of full foreground in a soft mask of 8 or 16 bits."""
    return 255 if numbers.size == 0 or numbers.max() <= 255 else 65535


def levels(numbers: np.ndarray) -> list[int]:
    """All numbers of an array, sorted."""
    small = numbers.dtype in (np.uint8, np.uint16)
    found = np.flatnonzero(np.bincount(numbers.ravel())) if small else np.unique(numbers)
    return [int(number) for number in found]


def varies(opacity: np.ndarray) -> bool:
    """Whether an opacity, uint8 or uint16, differs clearly from place to place."""
    return int(opacity.max()) - int(opacity.min()) >= VARIES * np.iinfo(opacity.dtype).max


def _upper(opacity: np.ndarray) -> np.ndarray:
    """Bool: above the middle of the lowest and the highest opacity, as paint may be half transparent everywhere."""
    return opacity > (int(opacity.min()) + int(opacity.max())) / 2


def as_number(mask: np.ndarray) -> np.ndarray:
    """A bool mask as uint8, 0 and 255."""
    return mask * np.uint8(255)


def eight_bits(colours: np.ndarray) -> np.ndarray:
    """Colours of 8 or 16 bits as uint8."""
    return colours if colours.dtype == np.uint8 else (colours >> 8).astype(np.uint8)


def palette_as_shown(numbers: np.ndarray, palette: Palette) -> tuple[np.ndarray, Palette | None]:
    """The numbers of a palette PNG and its palette, unless what it shows is a mask and the numbers are not.

    Programs that save a mask with few colours number them in any order.
    """
    found = np.array(levels(numbers))
    colours, opacity = np.zeros((256, 3), np.uint8), np.full(256, 255, np.uint8)
    table = np.frombuffer(palette.colours, np.uint8)[: 256 * 3].reshape(-1, 3)
    colours[: len(table)] = table
    opacity[: len(palette.opacity[:256])] = np.frombuffer(palette.opacity[:256], np.uint8)
    mask = None
    if varies(opacity[found]):
        opaque = np.zeros(256, bool)
        opaque[found] = _upper(opacity[found])
        if (colours[opaque] == colours[opaque][0]).all():
            mask = opaque[numbers]
    elif (shades := _shades(colours[found])) is not None and shades.min() <= ENDS and colours[found].max() > 127:
        grey = np.zeros(256, np.uint8)
        grey[found] = shades
        if len(found) == 2 or is_soft(grey[numbers]):
            mask = grey[numbers] > 127
    if mask is None or (np.array_equal(mask, numbers > 0) and len(found) == 2):
        return numbers, palette
    return as_number(mask), None


def _shades(colours: np.ndarray) -> np.ndarray | None:
    """(K,) uint8 brightness of (K, 3) colours that are shades of one colour, 255 for the brightest; else None."""
    values = colours.astype(np.float64)
    brightest = values[np.argmax(values.sum(axis=1))]
    if not brightest.any():
        return None
    share = values @ brightest / (brightest @ brightest)
    if np.abs(values - share[:, None] * brightest).max() > NEAR:
        return None
    return np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)


def opaque_object(colours: np.ndarray, opacity: np.ndarray, path: str | Path) -> np.ndarray:
    """(H, W) bool: the opaque pixels, or those of them that are white where they are black and white.

    Raises:
        BadMask: they have several flat colours.
    """
    opaque = _upper(opacity)
    # At edges of the paint its colour may be mixed with what lies behind it.
    inside = opaque & (cv2.erode(opacity, KERNEL) == cv2.dilate(opacity, KERNEL))
    painted = colours[inside if inside.any() else opaque]
    grey = painted.max(axis=1)
    is_grey = grey - painted.min(axis=1) <= NEAR // 3
    dark, light = is_grey & (grey <= ENDS), is_grey & (grey >= 255 - ENDS)
    few = len(painted) / 1000
    if np.count_nonzero(dark) > few < np.count_nonzero(light) and np.count_nonzero(dark | light) > 0.95 * len(painted):
        return opaque & (colours.max(axis=2) > 127)
    some = painted[:: 1 + len(painted) // MOST_COUNTED]
    packed, counts = np.unique(some.astype(np.uint32) @ np.array([1, 256, 65536], np.uint32), return_counts=True)
    is_common = counts > 0.01 * len(some)
    common = packed[is_common]
    flat = (common[:, None] >> np.array([0, 8, 16], np.uint32) & 255).astype(np.uint8)
    main = _different(flat)
    if 1 < len(main) <= MOST_COLOURS and counts[is_common].sum() > 0.95 * len(some):
        raise _several(main, "on a transparent ground", path)
    return opaque


def coloured_object(colours: np.ndarray, lossy: bool, path: str | Path) -> np.ndarray:
    """(H, W) bool: the one colour on black.

    Raises:
        BadMask: there are several colours, or none of them is black.
    """
    pixels = eight_bits(colours)
    flat = (cv2.dilate(pixels, KERNEL) - cv2.erode(pixels, KERNEL)).max(axis=2) <= NEAR
    inside = pixels[flat] if flat.any() else pixels.reshape(-1, 3)
    red, green, blue = (inside >> 3).astype(np.uint16).T
    coarse = red + green * 32 + blue * 1024
    counts = np.bincount(coarse, minlength=2**15)
    bins = np.argsort(-counts, kind="stable")
    bins = bins[counts[bins] >= (max(len(inside) / 1000, 9) if lossy else min(9, counts.max()))]
    main = _different(inside[np.argmax(coarse == number)] for number in bins[counts[bins] > 0])
    shades = _shades(main) if len(main) else None
    if shades is not None and shades.min() <= ENDS:
        brightest = main[np.argmax(shades)]
        strongest = pixels[..., int(brightest.argmax())]
        two_ends = all(min(shade, 255 - shade) <= 2 * ENDS for shade in shades.tolist())
        if two_ends or is_soft(np.clip(strongest * (255 / brightest.max()), 0, 255).astype(np.uint8)):
            # 255 times the share of the brightest colour in every pixel.
            return cv2.transform(pixels, brightest[None] * (255 / (brightest @ brightest))) > 127
    near = np.zeros(flat.shape, bool)
    for colour in main:
        near |= np.abs(pixels.astype(np.int16) - colour).max(axis=2) <= NEAR
    if np.count_nonzero(near) < FEW_COLOURS * near.size:
        main = main[:0]
    if len(main) == 1:
        return near | True
    raise _several(main, "", path)


def _different(colours: Iterable[np.ndarray]) -> np.ndarray:
    """The (K, 3) colours among those given that differ clearly from all before them; at most one over the limit."""
    main: list[np.ndarray] = []
    for given in colours:
        colour = given.astype(int)
        if all(np.abs(colour - other).max() > APART for other in main):
            main.append(colour)
        if len(main) > MOST_COLOURS:
            break
    return np.array(main, int).reshape(-1, 3)


def _several(main: np.ndarray, where: str, path: str | Path) -> BadMask:
    """The question which of several colours is the object."""
    if not 0 < len(main) <= MOST_COLOURS:
        return _photo("colours", path)
    names = [_name(colour) for colour in main.tolist()]
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    got = " ".join(filter(None, [f"{len(main)} colours, {listed}", where]))
    remedy = "save each object white on black, or all as a PNG of numbers"
    return BadMask(f"{path}: expected one object, got {got}; which is the object? {remedy}")


def _photo(shades: str, path: str | Path) -> BadMask:
    remedy = "is it the photo? give an object that is white on black"
    return BadMask(f"{path}: expected a mask, got a picture of many {shades}; {remedy}")


def _name(colour: Sequence[int]) -> str:
    """The numbers of a colour, and its name if it is a common one."""
    numbers, full = f"({', '.join(map(str, colour))})", max(colour)
    if full <= ENDS:
        return f"black {numbers}"
    if any(full / 3 < value < full * 2 / 3 for value in colour):
        return numbers
    name = _NAMES[tuple(value > full / 2 for value in colour)]
    return f"{'grey' if name == 'white' and full < 255 - ENDS else name} {numbers}"


_NAMES: dict[tuple[bool, ...], str] = {
    (True, False, False): "red", (False, True, False): "green", (False, False, True): "blue",
    (True, True, False): "yellow", (True, False, True): "magenta", (False, True, True): "cyan", (True, True, True): "white",
}  # fmt: skip
