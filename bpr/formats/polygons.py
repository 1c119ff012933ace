"""Masks written as polygons: one writer for all formats, and what it tells the user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bpr.errors import BadMask, BPRError, amount
from bpr.geometry.contours import Snap, hundredths, joined, rings_of
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, encode_mask


@dataclass
class PolygonWriter:
    """Writes the masks of one file or folder as polygons, and counts them.

    Attributes:
        setting: ``--polygons``: a tolerance in pixels, True for the default tolerance; None where the option was not
            given. With it a format that has both polygons and RLEs writes polygons alone.
        polygons, vertices: how many masks were written, and their vertices.
        empty: how many masks were left as they were because nothing remained of them.
    """

    setting: float | bool | None = None
    polygons: int = 0
    vertices: int = 0
    empty: int = 0

    @property
    def wanted(self) -> bool:
        """Whether masks that came as RLE are to become polygons."""
        return self.setting is not None

    def check(self, holds_polygons: bool, format_name: str) -> None:
        """Raise a BPRError where the option was given for a format that holds no polygons."""
        if self.wanted and not holds_polygons:
            raise BPRError(f"--polygons: expected a format with polygons, got {format_name}; leave the option out")

    def parts(self, mask: BoxMask, snap: Snap = hundredths) -> list[np.ndarray]:
        """COCO's form: one (n, 2) ring of x, y in pixels per part; none for an empty mask, whose shape must stay.

        Args:
            snap: how the format rounds.
        """
        return [joined(rings) for rings in self.rings(mask, snap)]

    def rings(self, mask: BoxMask, snap: Snap = hundredths) -> list[list[np.ndarray]]:
        """The form of formats with holes: for every part its outer ring and those of its holes, else as :meth:`parts`."""
        parts = rings_of(mask, None if self.setting is True else self.setting, snap)
        bridges = sum(2 * (len(rings) - 1) for rings in parts)
        self.empty += not parts
        self.polygons += bool(parts)
        self.vertices += bridges + sum(len(ring) for rings in parts for ring in rings)
        return parts

    def ring(self, mask: BoxMask, snap: Snap = hundredths) -> list[list[float]]:
        """The form of formats with one ring per mask, such as YOLO's: parts hang together by bridges without width."""
        points: list[list[float]] = joined(self.parts(mask, snap)).tolist()
        return points

    def scaled_ring(self, mask: BoxMask, unit: float, decimals: int) -> list[list[float]]:
        """:meth:`ring` in units of which ``unit`` are the width and the height of the image."""
        frame = np.array(mask.frame[::-1])
        ring = self.ring(mask, lambda vertices: (vertices * unit / frame).round(decimals) * frame / unit)
        return [[round(x * unit / frame[0], decimals), round(y * unit / frame[1], decimals)] for x, y in ring]

    @property
    def notes(self) -> list[str]:
        """One line about what was written, and one about masks that could not be."""
        lines = []
        if self.polygons:
            lines.append(f"polygons: {self.polygons} written, {amount(self.vertices, 'vertex', 'vertices')}")
        if self.empty:
            lines.append(f"polygons: kept as they were: {amount(self.empty, 'empty mask')}, which no shape can be")
        return lines


def polygon_rle(ring: list[float], frame: tuple[int, int] | None) -> Any:
    """The RLE of a polygon x, y, x, y, ... in pixels.

    One that is not a valid mask, or whose frame is not known, stays a polygon, so that decoding it later gives the
    error.
    """
    try:
        return encode_mask(decode_mask([ring], frame))
    except BadMask:
        return [ring]
