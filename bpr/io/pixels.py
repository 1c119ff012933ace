"""How the samples of an image become the 8-bit RGB that the network sees: one rule for files, arrays and windows.

Samples of 8 bits stay as they are. All others are mapped linearly, from one range of values to 0..255:

- By default it is the depth of the image, found by its content: the smallest of 8, 10, 12, 14 and 16 bits that holds
  its values (floats up to 1: 0..1). A file that states its depth is taken at its word.
- Where there is no such depth, because values are negative or larger, or where they cover less than an eighth of it,
  the range is that of the percentiles 0.1 and 99.9.

It is one range for the whole image, so that windows of it look alike. The bands of an RGB image share one, because
their relation is the colour; other bands have their own.

Legend: H W image, B bands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from bpr.errors import BadImage

Range = tuple[float, float]
"""The values that become black and white: ``lowest <= value < highest`` is divided into 256 equal steps."""

PERCENTILES = (0.1, 99.9)
DEPTHS = (2**8, 2**10, 2**12, 2**14, 2**16)
"""Numbers of values that cameras and scanners count to."""
LEAST_COVERED = 1 / 8
"""An image whose values cover a smaller share of its depth is stretched: it would be seen in fewer than 32 grey levels."""
LONE = 1e-3
"""Percent of the pixels that may lie outside of the depth, as the hot pixels of a sensor do."""
MOST_COUNTED = 2**22
"""Percentiles are those of about so many pixels, spread evenly over the image."""
PLAIN = {"uint8": (0.0, 256.0), "uint16": (0.0, 65536.0)}
"""Ranges that every viewer shows, so that nothing is said about them."""


@dataclass(frozen=True)
class PixelOptions:
    """What the network is to see of an image.

    Attributes:
        stretch: ``minmax``, ``none`` (the whole range of the data type, floats 0..1), or two percentiles; None: by the
            depth of the image.
        bands: one or three bands of the image, counted from 1; None: the first three, or the first.
        page: the page of a TIFF, counted from 1; None: the first.

    >>> PixelOptions(stretch=(2, 98), bands=(3, 2, 1))
    PixelOptions(stretch=(2, 98), bands=(3, 2, 1), page=None)
    >>> PixelOptions(bands=(1, 2))
    Traceback (most recent call last):
        ...
    ValueError: bands: expected one band or three, counted from 1, got (1, 2)

    Raises:
        ValueError: a value that is not possible.
    """

    stretch: Literal["minmax", "none"] | tuple[float, float] | None = None
    bands: tuple[int, ...] | None = None
    page: int | None = None

    def __post_init__(self) -> None:
        bands, stretch = self.bands, self.stretch
        if isinstance(bands, Sequence) and not isinstance(bands, str):
            object.__setattr__(self, "bands", tuple(bands))
        elif bands is not None:
            object.__setattr__(self, "bands", (bands,))
        known = self.bands is None or all(type(band) is int and band > 0 for band in self.bands)
        if not known or len(self.bands or (1,)) not in (1, 3):
            raise ValueError(f"bands: expected one band or three, counted from 1, got {bands}")
        if isinstance(stretch, Sequence) and not isinstance(stretch, str):
            object.__setattr__(self, "stretch", tuple(stretch))
        if self.stretch not in (None, "minmax", "none") and not _are_percentiles(self.stretch):
            raise ValueError(f"stretch: expected minmax, none or two percentiles such as 0.1,99.9, got {stretch}")
        if self.page is not None and not (type(self.page) is int and self.page > 0):
            raise ValueError(f"page: expected a page, counted from 1, got {self.page}")


def _are_percentiles(value: Any) -> bool:
    numbers = isinstance(value, tuple) and len(value) == 2 and all(type(one) in (int, float) for one in value)
    return numbers and 0 <= value[0] < value[1] <= 100


AS_THEY_ARE = PixelOptions()


class Facts(NamedTuple):
    """What a file says about its samples.

    Attributes:
        name: of the image, for errors and remarks.
        is_rgb: the first three bands are red, green and blue.
        bits: the depth that it states; None if it states none.
        no_data: the value of pixels that were not measured; None if there is no such value.
        inverted: 0 is white.
        pages: how many it has.
    """

    name: str
    is_rgb: bool = True
    bits: int | None = None
    no_data: float | None = None
    inverted: bool = False
    pages: int = 1


class Shown(NamedTuple):
    """An image as the network sees it.

    Attributes:
        pixels: (H, W, 3) uint8 RGB.
        ranges: of the one or three bands; empty where all are those that every viewer shows.
        remark: one line about what was chosen for an image that is no plain photo; else empty.
    """

    pixels: np.ndarray
    ranges: tuple[Range, ...] = ()
    remark: str = ""


def shown(samples: np.ndarray, options: PixelOptions, facts: Facts, known: Sequence[Range] = ()) -> Shown:
    """The whole rule for an image that is in memory.

    Args:
        samples: (H, W) or (H, W, B) numbers.
        known: the ranges that the whole image has, if this is a window of it.

    >>> deep = np.arange(16, dtype=np.uint16).reshape(4, 4) * 256
    >>> seen = shown(deep, PixelOptions(), Facts("a.tif", is_rgb=False))
    >>> seen.pixels[..., 0].tolist()[3], seen.remark
    ([192, 208, 224, 240], 'a.tif: uint16, 0..4096 is black to white; --stretch chooses otherwise')

    Raises:
        BadImage: no numbers, or not the bands that are needed.
    """
    samples = samples[..., None] if samples.ndim == 2 else samples
    bands = bands_of(samples.shape[2], samples.dtype, options, facts)
    if samples.dtype == np.uint8 and options.stretch is None and not facts.inverted:
        pixels = samples if bands == (1, 2, 3) and samples.shape[2] == 3 else _three(_chosen(samples, bands))
        return Shown(pixels, remark=_remark(samples, bands, (), options, facts))
    chosen = _chosen(samples, bands)
    ranges = tuple(known) or ranges_of(chosen, bands, options, facts)
    pixels = eight_bits(chosen, ranges, facts)
    told = ranges if any(one != PLAIN.get(str(chosen.dtype)) for one in ranges) else ()
    return Shown(pixels, told, _remark(samples, bands, told, options, facts))


def bands_of(count: int, dtype: np.dtype[Any], options: PixelOptions, facts: Facts) -> tuple[int, ...]:
    """The one or three bands of ``count`` that are seen, counted from 1.

    Raises:
        BadImage: there is no such band, it is not clear which are meant, or the samples are no numbers.
    """
    if dtype.kind not in "uif":
        raise BadImage(f"{facts.name}: expected pixels that are numbers, got {dtype}; convert it")
    if options.bands and max(options.bands) > count:
        pages = f"; its {facts.pages} pages are chosen with --page" if facts.pages > 1 else ""
        raise BadImage(f"{facts.name}: expected --bands of 1..{count}, got {max(options.bands)}{pages}")
    if not options.bands and count > 4:
        raise BadImage(f"{facts.name}: expected 1 to 4 bands, got {count}; choose three with --bands 3,2,1 or one with --bands 1")
    return options.bands or ((1, 2, 3) if count > 2 else (1,))


def _chosen(samples: np.ndarray, bands: Sequence[int]) -> np.ndarray:
    return samples[..., [band - 1 for band in bands]]


def ranges_of(chosen: np.ndarray, bands: Sequence[int], options: PixelOptions, facts: Facts) -> tuple[Range, ...]:
    """The ranges of the chosen bands of an image, or of enough of its pixels.

    Args:
        chosen: (..., B) numbers of the bands.
        bands: what :func:`bands_of` says.
    """
    together = facts.is_rgb and max(bands) <= 3
    groups = [chosen] if together else [chosen[..., i] for i in range(len(bands))]
    ranges = tuple(_range(group.ravel(), options, facts) for group in groups)
    return ranges * len(bands) if together else ranges


def _range(values: np.ndarray, options: PixelOptions, facts: Facts) -> Range:
    dtype, stretch = values.dtype, options.stretch
    if stretch == "none":
        return (0.0, 1.0) if dtype.kind == "f" else (float(np.iinfo(dtype).min), float(np.iinfo(dtype).max) + 1)
    if dtype == np.uint8 and stretch is None:
        return PLAIN["uint8"]
    values = values[:: 1 + values.size // MOST_COUNTED] if stretch != "minmax" else values
    if dtype.kind == "f":
        values = values[np.isfinite(values)].astype(np.float64)
    if facts.no_data is not None:
        values = values[values != facts.no_data]
    if not values.size:
        return 0.0, 1.0
    if stretch == "minmax":
        return _wide(float(values.min()), float(values.max()))
    if stretch is None:
        low = float(np.percentile(values, LONE, method="lower"))
        high = float(np.percentile(values, 100 - LONE, method="higher"))
        depth = _depth(high, dtype, facts.bits) if low >= 0 else None
        if depth and high - low >= depth * LEAST_COVERED:
            return 0.0, depth
    low, high = np.percentile(values, PERCENTILES if stretch is None else stretch).tolist()
    return _wide(low, high) if low < high else _wide(float(values.min()), float(values.max()))


def _depth(high: float, dtype: np.dtype[Any], stated: int | None) -> float | None:
    """The number of values of the depth that holds values up to ``high``; None if none does."""
    if dtype.kind == "f" and high <= 1:
        return 1.0
    most = 2**16 if dtype.kind == "f" else np.iinfo(dtype).max + 1
    depths = (2**stated, *DEPTHS) if stated else DEPTHS
    return next((float(min(depth, most)) for depth in depths if high < depth), None)


def _wide(low: float, high: float) -> Range:
    return (low, high) if low < high else (low, low + 1)


def eight_bits(chosen: np.ndarray, ranges: Sequence[Range], facts: Facts) -> np.ndarray:
    """(H, W, 3) uint8 RGB of (H, W, 1 or 3) numbers. Pixels that are no number, or not measured, become black."""
    shades = np.empty(chosen.shape, np.uint8)
    for i, (low, high) in enumerate(ranges):
        band = chosen[..., i]
        if band.dtype == np.uint16 and (low, high) == PLAIN["uint16"]:
            shades[..., i] = band >> 8
        else:
            exact: np.ndarray = band.astype(np.float64 if band.dtype.itemsize > 2 else np.float32)
            steps = (exact - low) * (256 / (high - low))
            shades[..., i] = np.clip(np.nan_to_num(steps, nan=0.0), 0, 255)
        if facts.inverted:
            shades[..., i] = 255 - shades[..., i]
        if facts.no_data is not None:
            shades[..., i][band == facts.no_data] = 0
    return _three(shades)


def _three(shades: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(shades if shades.shape[2] == 3 else shades.repeat(3, axis=2))


def _remark(samples: np.ndarray, bands: tuple[int, ...], ranges: Sequence[Range], options: PixelOptions, facts: Facts) -> str:
    said, asked = [], []
    if facts.pages > 1:
        said.append(f"page {options.page or 1} of {facts.pages}")
        asked += ["--page"] if options.page is None else []
    if samples.shape[2] > 2 and not facts.is_rgb:
        said.append(f"bands {','.join(map(str, bands))} of {samples.shape[2]}")
        asked += ["--bands"] if options.bands is None else []
    if ranges:
        listed = " and ".join(f"{low:g}..{high:g}" for low, high in dict.fromkeys(ranges))
        said.append(f"{samples.dtype}, {listed} is black to white")
        asked += ["--stretch"] if options.stretch is None else []
    if not said:
        return ""
    choose = f"; {' and '.join(asked)} {'chooses' if len(asked) == 1 else 'choose'} otherwise" if asked else ""
    return f"{facts.name}: {', '.join(said)}{choose}"
