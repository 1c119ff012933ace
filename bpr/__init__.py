"""Any instance masks in, better boundaries out.

>>> import bpr
>>> refiner = bpr.load("identity")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bpr.refinement.refiner import Refiner

__version__ = "0.2.0"
__all__ = ["BPRError", "Refiner", "load"]


def load(
    model: str | None = None,
    config: str | None = None,
    *,
    backend: str = "auto",
    preset: str | None = None,
    **options: Any,
) -> Refiner:
    """A refiner for a model by name, an exported ``.onnx`` or a training ``.pth``: ``refined = refiner(image, masks)``.

    Args:
        model: default: ``starter``.
        config: config of a ``.pth`` (default: the one beside it).
        backend: what runs the network, a name of ``bpr refine --backend``; ``auto`` never rounds more than the model.
        preset: ``accurate``, ``balanced`` or ``fast``, instead of model, config and backend (docs/speed.md).
        options: ``scheme``, ``nms_iou``, ``blend``, ``caution``, ``keep``, ``max_patches``: the fields of
            :class:`~bpr.geometry.options.RefineOptions`. By default the model decides.

    Raises:
        BPRError: no such model or backend, its file cannot be used, or an option is not possible.
    """
    from bpr.backends import load_refiner

    return load_refiner(model, config, backend, preset, **options)


def __getattr__(name: str) -> Any:
    if name == "Refiner":
        from bpr.refinement.refiner import Refiner

        return Refiner
    if name == "BPRError":
        from bpr.errors import BPRError

        return BPRError
    raise AttributeError(f"module 'bpr' has no attribute {name!r}")
