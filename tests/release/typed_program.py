"""A user's program: it type-checks against the installed package, and only if that package brings its types."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

import bpr
from bpr.geometry.options import PatchSpec


def refine(image: NDArray[np.uint8], masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    refiner: bpr.Refiner = bpr.load("starter", scheme="dense", keep=0.5)
    refined: NDArray[np.bool_] = refiner(image, masks)
    return refined


def refine_all(pairs: list[tuple[str, NDArray[np.bool_]]]) -> Iterator[NDArray[np.bool_]]:
    yield from bpr.load(preset="fast").stream(pairs)


def window() -> int:
    return PatchSpec(side=64, padding=8).window


def wrong() -> None:
    # Were the package's types not seen, these would be comments that nobody needs, which mypy --strict refuses.
    bpr.load(backend=None)  # type: ignore[arg-type]
    bpr.load(preset=3)  # type: ignore[arg-type]
    bpr.load().refine_all()  # type: ignore[attr-defined]
