"""A widget for napari: a layer of labels is refined with its image layer.

In napari's console, or in a script that has a ``viewer``::

    from bpr.integrations.napari import refine_labels
    viewer.window.add_function_widget(refine_labels)
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from bpr.backends import DEFAULT_MODEL, load_refiner, named_models
from bpr.errors import BadInput

if TYPE_CHECKING:
    import napari  # napari finds these types by their full names

load_once = lru_cache(maxsize=2)(load_refiner)
"""A user presses the button again and again."""
MODELS = {"choices": [name for name in named_models() if not name.endswith(".int8")]}


def refine_labels(
    image: "napari.layers.Image", labels: "napari.layers.Labels", model: Annotated[str, MODELS] = DEFAULT_MODEL
) -> "napari.types.LayerDataTuple":
    """A new layer of the refined labels; of a stack, every slice is refined with the slice of the image.

    Raises:
        BadInput: the layers differ in size.
    """
    pixels, numbers, refiner = np.asarray(image.data), np.asarray(labels.data), load_once(model)
    frames = pixels.shape[:-1] if image.rgb else pixels.shape
    if frames != numbers.shape:
        raise BadInput(f"labels: expected a layer of {frames} as the image, got {numbers.shape}; choose its own image")
    slices = zip(pixels.reshape(-1, *pixels.shape[numbers.ndim - 2 :]), numbers.reshape(-1, *numbers.shape[-2:]), strict=True)
    refined = np.stack([refiner(*one) for one in slices]).reshape(numbers.shape)
    placed: dict[str, Any] = {"scale": labels.scale, "translate": labels.translate}
    return refined, {"name": f"{labels.name}, refined", **placed}, "labels"
