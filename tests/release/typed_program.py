"""A user's program: it type-checks against the installed package, and only if that package brings its types."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


def with_extras(photo: Path | bytes, masks: NDArray[np.uint8]) -> bpr.Refinement:
    return bpr.load(Path("own.onnx"), Path("own.py"))(photo, masks, return_probability=True)


def if_asked(image: NDArray[np.uint8], masks: NDArray[np.uint8], asked: bool) -> object:
    return bpr.load()(image, masks, return_patches=asked)


def files(photo: Path, mask: Path, masks: list[Path]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    return bpr.load()(photo, mask), bpr.load()(photo, masks)


def read(photo: bytes, mask: bytes) -> NDArray[np.bool_]:
    return bpr.load()(photo, bpr.read_mask(mask))


def of_any_numbers(image: NDArray[Any], masks: NDArray[Any]) -> NDArray[Any]:
    return bpr.load()(image, masks)


def soft(photo: Path, masks: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return bpr.load()(photo, masks, soft=True)


def polygons(photo: str, outlines: list[list[list[float]]]) -> list[dict[str, Any]]:
    return bpr.load()(photo, outlines)


class Detections:
    """A result of another library."""


def same_type(image: NDArray[np.uint8], found: Detections) -> Detections:
    return bpr.load()(image, found)


def status(image: NDArray[np.uint8], masks: NDArray[np.bool_]) -> int:
    try:
        bpr.load()(image, masks)
    except bpr.BadInput as error:
        return 422 if str(error) else 400
    except bpr.BPRError:
        return 500
    return 200


def window() -> int:
    return PatchSpec(side=64, padding=8).window


def wrong() -> None:
    # Were the package's types not seen, these would be comments that nobody needs, which mypy --strict refuses.
    bpr.load(backend=None)  # type: ignore[arg-type]
    bpr.load(preset=3)  # type: ignore[arg-type]
    bpr.load().refine_all()  # type: ignore[attr-defined]


def wrong_types(image: NDArray[np.uint8], masks: NDArray[np.bool_]) -> None:
    a: str = bpr.load()(image, masks)  # type: ignore[assignment]
    b: NDArray[np.bool_] = bpr.load()(image, masks, return_patches=True)  # type: ignore[assignment]
    c: list[str] = bpr.load()("photo.jpg", [{"size": [1, 1], "counts": "1"}])  # type: ignore[assignment]
    streamed = bpr.load().stream([(image, masks)])
    d: Iterator[str] = streamed  # type: ignore[assignment]
    bpr.load()(None, masks)  # type: ignore[call-overload]
    bpr.load()(7, masks)  # type: ignore[call-overload]
    print(a, b, c, d)
