"""A mask that comes as a picture: grey, with a palette, in colours, or as paint on a transparent layer.

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
from numpy.typing import NDArray

from bpr.errors import BadMask, BPRError, shown, warn_caller
from bpr.io.files import atomic_open, read_whole
from bpr.io.image_header import encode_tiff, tiff_page, tiff_pages
from bpr.io.image_list import SUFFIXES
from bpr.io.images import check_size, decode_pixels, raw_samples, read_framed, to_rgb, undecodable
from bpr.io.png import SIGNATURE, Palette, decode_labels, decode_planes, is_coloured, write_png

EMPTY = "is empty"
TIFF = {".tif", ".tiff"}
EXACT = {".png", *TIFF}
"""Endings of the pictures that a mask is written as."""
LOSSY = (b"\xff\xd8\xff", b"RIFF")
"""The first bytes of JPEG and WebP, whose colours are noisy."""
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
KERNEL = np.ones((3, 3), np.uint8)
ENDS = 32
"""Values of 8 bits at most this far from 0 or 255 are black or white."""


def read_mask(picture: str | Path | bytes) -> NDArray[np.bool_]:
    """The (H, W) bool mask of one object in a picture (PNG, JPEG, TIFF, WebP or BMP), given as a file or its bytes.

    The object is what is opaque where the transparency varies; else what is lighter than half grey, or has the one
    colour or number that is not black or 0. A mask that is empty or covers the whole picture is warned about.

    Raises:
        BadMask: no such file, not a picture, a damaged one, or one of several objects, as far as one can see.
    """
    if not isinstance(picture, (str, Path, bytes)):
        raise BadMask(f"mask: expected a file or its bytes, got {type(picture).__name__}")
    name = "mask" if isinstance(picture, bytes) else str(picture)
    try:
        content = picture if isinstance(picture, bytes) else _content(picture)
        mask = one_object(decode_mask_picture(content, name)[0], name)
    except BPRError as error:
        raise BadMask(str(error)) from None
    if remark := extent(mask):
        warn_caller(f"{name}: the mask {remark}; is it the right file?")
    return mask


def read_mask_picture(path: str | Path) -> tuple[np.ndarray, Palette | None]:
    """:func:`decode_mask_picture` for a file."""
    return decode_mask_picture(_content(path), path)


def decode_mask_picture(content: bytes, path: str | Path) -> tuple[np.ndarray, Palette | None]:
    """The numbers in the bytes of a picture: 0 and one value for a mask of one object, else a label map.

    Args:
        path: names the picture in errors.

    Returns:
        (H, W) whole numbers, of 8 or 16 bits except in a TIFF, and the palette if they are those of a palette PNG.

    Raises:
        BPRError: not a picture, a damaged one, or one of several colours that may be several objects.
    """
    if content.startswith(SIGNATURE) and not is_coloured(content, path):
        numbers, palette = decode_labels(content, path)
        return _palette_as_shown(numbers, palette) if palette else (_grey_object(numbers, path), None)
    pixels = _decoded(content, path)
    if pixels.ndim == 2:
        return _grey_object(pixels, path), None
    colours, opacity = pixels[..., :3], pixels[..., 3:].squeeze(2) if pixels.shape[2] == 4 else None
    if opacity is not None and _varies(opacity):
        return _as_number(_opaque_object(_eight_bits(colours), opacity, path)), None
    if (colours == colours[..., :1]).all():
        return _grey_object(np.ascontiguousarray(colours[..., 0]), path), None
    return _as_number(_coloured_object(colours, content.startswith(LOSSY), path)), None


def read_alpha(path: str | Path) -> np.ndarray:
    """The (H, W) float32 alpha, 0..1, of one object in a picture: of a soft mask its greys or its opacity, else 0 and 1.

    Raises:
        BPRError: not a picture, a damaged one, or one of several objects, as far as one can see.
    """
    content = _content(path)
    pixels = _decoded(content, path)
    plane = pixels[..., 3] if pixels.ndim == 3 and pixels.shape[2] == 4 else pixels
    if plane.ndim == 3 and (plane == plane[..., :1]).all():
        plane = plane[..., 0]
    if plane.ndim == 2 and is_soft(plane):
        return (plane / np.float32(_full(plane))).astype(np.float32)
    return one_object(decode_mask_picture(content, path)[0], path).astype(np.float32)


def _content(path: str | Path) -> bytes:
    try:
        return read_whole(path)
    except OSError as error:
        raise BPRError(f"{path}: cannot read the mask ({error.strerror})") from None


def one_object(numbers: np.ndarray, path: str | Path) -> NDArray[np.bool_]:
    """The (H, W) bool mask of numbers of one object on 0.

    Raises:
        BadMask: there are several numbers beside 0.
    """
    found = _levels(numbers)
    objects = [number for number in found if number]
    if len(objects) > 1:
        remedy = "give one picture for each object, or refine all as label PNGs with bpr refine --format masks"
        raise BadMask(f"{path}: expected one object, got a label map of the numbers {shown(found)}; {remedy}")
    return numbers != 0


def extent(mask: np.ndarray) -> str | None:
    """What is odd about the extent of an (H, W) bool mask; None if nothing is."""
    return "covers the whole image" if mask.all() else None if mask.any() else EMPTY


def check_mask_name(path: str | Path) -> None:
    """Raise a BPRError where the ending of a file's name means a format that cannot hold a mask exactly."""
    ending = Path(path).suffix.lower()
    if ending in SUFFIXES and ending not in EXACT:
        raise BPRError(f"{path}: expected a .png or .tif to write a mask, got {ending}; choose another ending")


def write_mask_picture(path: Path, numbers: np.ndarray, palette: Palette | None = None) -> None:
    """Write (H, W) whole numbers as a TIFF of their type where the name says so, else as a PNG."""
    if path.suffix.lower() not in TIFF:
        write_png(path, numbers, palette)
        return
    with atomic_open(path, "wb") as file:
        shallow = numbers.dtype in (np.uint8, np.uint16)
        file.write(cv2.imencode(".tif", numbers)[1].tobytes() if shallow else encode_tiff(numbers))


def write_cutout(path: str | Path, photo: str | Path, mask: str | Path, soft: bool = False) -> None:
    """Write a photo that is transparent where its mask is background, as a PNG or, where the name says so, a TIFF.

    Args:
        soft: the mask holds 8-bit alpha, which becomes the opacity.

    Raises:
        BPRError: a file cannot be read or written, or they differ in size.
    """
    opacity = _decoded(read_whole(mask), mask) if soft else read_mask_picture(mask)[0] != 0
    pixels = read_framed(photo, (opacity.shape[0], opacity.shape[1]))
    ending = ".tif" if Path(path).suffix.lower() in TIFF else ".png"
    with atomic_open(path, "wb") as file:
        file.write(encode_cutout(pixels, opacity, ending))


def encode_cutout(photo: np.ndarray, opacity: np.ndarray, ending: str = ".png") -> bytes:
    """A picture file of an (H, W, 3) uint8 RGB photo with the opacity of an (H, W) bool mask or uint8 alpha."""
    alpha = _as_number(opacity) if opacity.dtype == bool else opacity
    layer = cv2.cvtColor(np.dstack([photo, alpha]), cv2.COLOR_RGBA2BGRA)
    return cv2.imencode(ending, layer)[1].tobytes()


def hardened(numbers: np.ndarray) -> np.ndarray:
    """A soft mask as 0 and the largest value; any other (H, W) whole numbers unchanged."""
    if not is_soft(numbers):
        return numbers
    full = _full(numbers)
    return np.where(numbers > full / 2, full, 0).astype(numbers.dtype)


def _grey_object(numbers: np.ndarray, path: str | Path) -> np.ndarray:
    """:func:`hardened`, except for a picture of which little is black or white.

    Raises:
        BadMask: it is a photo, as far as one can see.
    """
    hard = hardened(numbers)
    if hard is not numbers:
        end = _full(numbers) * ENDS / 255
        if np.count_nonzero((numbers <= end) | (numbers >= _full(numbers) - end)) < FEW_GREYS * numbers.size:
            raise _photo("greys", path)
    return hard


def is_soft(numbers: np.ndarray) -> bool:
    """Whether (H, W) whole numbers are probabilities, scaled to 255 or 65535, and not a label map.

    Probabilities rise across a boundary, so that numbers between others lie between them in space too, whereas the
    numbers of a label map fill areas. A trimap is soft: its one number at half separates 0 from the largest.
    """
    found = _levels(numbers)
    full = _full(numbers)
    if len(found) < 3 or found[0] < 0 or not full / 2 < found[-1] <= full:
        return False
    if len(found) == 3 and found[0] == 0 and found[2] == full and abs(found[1] - full / 2) < 1.5 and _never_meet(numbers):
        return True
    pixels = numbers.astype(np.uint16)
    lowest, highest = cv2.erode(pixels, KERNEL), cv2.dilate(pixels, KERNEL)
    borders = (lowest < highest) & (pixels != 0) & (pixels != full)
    slopes = (lowest < pixels) & (pixels < highest)
    return bool(np.count_nonzero(slopes) > SLOPE * np.count_nonzero(borders))


def _never_meet(numbers: np.ndarray) -> bool:
    """Whether no pixel of the largest number has a neighbour of 0."""
    largest = (numbers == numbers.max()).view(np.uint8)
    return bool(numbers[cv2.dilate(largest, KERNEL).view(bool)].all())


def _full(numbers: np.ndarray) -> int:
    return 255 if numbers.size == 0 or numbers.max() <= 255 else 65535


def _levels(numbers: np.ndarray) -> list[int]:
    """All numbers of an array, sorted."""
    small = numbers.dtype in (np.uint8, np.uint16)
    found = np.flatnonzero(np.bincount(numbers.ravel())) if small else np.unique(numbers)
    return [int(number) for number in found]


def _decoded(content: bytes, path: str | Path) -> np.ndarray:
    """(H, W) whole numbers, or (H, W, 3) RGB or (H, W, 4) RGBA, uint8 or uint16."""
    if content.startswith(SIGNATURE):
        return decode_planes(content, path)
    check_size(content, path)
    page, pages = tiff_page(content), len(tiff_pages(content))
    if pages > 1:
        raise BPRError(f"{path}: expected a mask or label map of one page, got {pages}; save each page as a file")
    # Only without IMREAD_UNCHANGED does OpenCV turn a JPEG by its EXIF tag, as the photo is turned.
    flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH if content.startswith(LOSSY[0]) else cv2.IMREAD_UNCHANGED
    with_opacity = page is not None and page.samples == 2  # of which OpenCV reads the greys alone
    pixels = None if with_opacity else decode_pixels(content, flags)
    if pixels is not None:
        pixels = to_rgb(pixels)
    elif page:
        pixels = raw_samples(content, path, page)
        pixels = pixels[..., 0] if pixels.ndim == 3 and page.samples == 1 else pixels
        pixels = pixels[..., [0, 0, 0, 1]] if with_opacity else pixels
    else:
        raise undecodable(path)
    if pixels.ndim == 3 and pixels.shape[2] not in (3, 4):
        got = f"{pixels.shape[2]} bands"
        raise BPRError(f"{path}: expected a mask of grey values or colours, got {got}; save the one that is the mask")
    if pixels.dtype.kind == "f" and pixels.size and pixels.min() >= 0 and pixels.max() <= 1:
        pixels = np.rint(pixels.astype(np.promote_types(pixels.dtype, np.float32)) * 65535).astype(np.uint16)
    numbers = pixels.ndim == 2 and pixels.dtype.kind in "ui" and pixels.min() >= 0
    if not numbers and pixels.dtype not in (np.uint8, np.uint16):
        remedy = "save it with 8 or 16 bits"
        raise BPRError(f"{path}: expected a mask of whole numbers, or floats in [0, 1], got {pixels.dtype}; {remedy}")
    return pixels


def _varies(opacity: np.ndarray) -> bool:
    return int(opacity.max()) - int(opacity.min()) >= VARIES * np.iinfo(opacity.dtype).max


def _upper(opacity: np.ndarray) -> np.ndarray:
    """Bool: above the middle of the lowest and the highest opacity, as paint may be half transparent everywhere."""
    return opacity > (int(opacity.min()) + int(opacity.max())) / 2


def _as_number(mask: np.ndarray) -> np.ndarray:
    return mask * np.uint8(255)


def _eight_bits(colours: np.ndarray) -> np.ndarray:
    return colours if colours.dtype == np.uint8 else (colours >> 8).astype(np.uint8)


def _palette_as_shown(numbers: np.ndarray, palette: Palette) -> tuple[np.ndarray, Palette | None]:
    """The numbers of a palette PNG and its palette, unless what it shows is a mask and the numbers are not.

    Programs that save a mask with few colours number them in any order.
    """
    found = np.array(_levels(numbers))
    colours, opacity = np.zeros((256, 3), np.uint8), np.full(256, 255, np.uint8)
    table = np.frombuffer(palette.colours, np.uint8)[: 256 * 3].reshape(-1, 3)
    colours[: len(table)] = table
    opacity[: len(palette.opacity[:256])] = np.frombuffer(palette.opacity[:256], np.uint8)
    mask = None
    if _varies(opacity[found]):
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
    return _as_number(mask), None


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


def _opaque_object(colours: np.ndarray, opacity: np.ndarray, path: str | Path) -> np.ndarray:
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


def _coloured_object(colours: np.ndarray, lossy: bool, path: str | Path) -> np.ndarray:
    """(H, W) bool: the one colour on black.

    Raises:
        BadMask: there are several colours, or none of them is black.
    """
    pixels = _eight_bits(colours)
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
