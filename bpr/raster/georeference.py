"""Where the pixels of a raster lie on the earth: the tags of GeoTIFF, and the coordinates of vector files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

SCALE, TIEPOINT, TRANSFORMATION, KEYS = 33550, 33922, 34264, 34735
"""The tags that place a raster: pixel size, one known point, an affine map instead of both, and the coordinate system."""
RASTER_TYPE, GEOGRAPHIC, PROJECTED = 1025, 2048, 3072
"""Keys of the KEYS tag: whether a point means a pixel's corner (1) or its middle (2), and the EPSG codes."""
USER_DEFINED = 32767


@dataclass(frozen=True)
class Georeference:
    """An affine map from pixels (x, y) to coordinates, and the coordinate system.

    Attributes:
        matrix: rows (a, b, c), (d, e, f): x' = a x + b y + c, y' = d x + e y + f. (0, 0) is the first pixel's corner.
        epsg: the code of the coordinate system; None where it has none or is not known.
    """

    matrix: tuple[tuple[float, float, float], tuple[float, float, float]] = ((1, 0, 0), (0, 1, 0))
    epsg: int | None = None

    def coordinates(self, pixels: np.ndarray) -> np.ndarray:
        """(n, 2) coordinates of (n, 2) pixels x, y."""
        matrix = np.array(self.matrix, np.float64)
        return pixels @ matrix[:, :2].T + matrix[:, 2]

    def pixels(self, coordinates: np.ndarray) -> np.ndarray:
        """(n, 2) pixels x, y of (n, 2) coordinates.

        >>> Georeference(((0.5, 0, 100), (0, -0.5, 900))).pixels(np.array([[102.0, 895.0]])).tolist()
        [[4.0, 10.0]]
        """
        matrix = np.array(self.matrix, np.float64)
        return np.linalg.solve(matrix[:, :2], (coordinates - matrix[:, 2]).T).T

    @property
    def crs(self) -> dict[str, Any] | None:
        """The ``crs`` member of a GeoJSON file."""
        if self.epsg is None:
            return None
        return {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{self.epsg}"}}


NOWHERE = Georeference()
"""Of a raster that does not say where it lies: coordinates are pixels."""


def from_tags(tags: Mapping[int, Sequence[float]]) -> Georeference:
    """The georeference in the tags of a GeoTIFF, by their numbers; tags that are damaged count as missing.

    >>> from_tags({SCALE: (2, 2, 0), TIEPOINT: (0, 0, 0, 500, 800, 0), KEYS: (1, 1, 0, 1, 3072, 0, 1, 32633)})
    Georeference(matrix=((2.0, 0.0, 500.0), (0.0, -2.0, 800.0)), epsg=32633)
    """
    numbers = list(tags.get(KEYS, ()))
    keys = {numbers[i]: numbers[i + 3] for i in range(4, len(numbers) - 3, 4) if numbers[i + 1] == 0}
    code = int(keys.get(PROJECTED) or keys.get(GEOGRAPHIC) or 0)
    epsg = code if 0 < code < USER_DEFINED else None
    middle = 0.5 if keys.get(RASTER_TYPE) == 2 else 0.0
    table, scale, point = (list(map(float, tags.get(tag, ()))) for tag in (TRANSFORMATION, SCALE, TIEPOINT))
    if len(table) == 16:
        (a, b, c), (d, e, f) = (table[0], table[1], table[3]), (table[4], table[5], table[7])
    elif len(scale) >= 2 and len(point) >= 6:
        a, b, d, e = scale[0], 0.0, 0.0, -scale[1]
        c, f = point[3] - a * point[0], point[4] - e * point[1]
    else:
        return Georeference(epsg=epsg)
    matrix = (a, b, c - middle * (a + b)), (d, e, f - middle * (d + e))
    if not np.isfinite(matrix).all() or a * e == b * d:
        return Georeference(epsg=epsg)
    return Georeference(matrix, epsg)
