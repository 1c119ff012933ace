"""Any instance masks in, better boundaries out.

>>> import bpr
>>> refiner = bpr.load("identity")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bpr.geometry.scheme import Blend, Kind
    from bpr.refinement.refiner import Refiner

__version__ = "0.2.0"
__all__ = ["BPRError", "Refiner", "load"]


def load(
    model: str | None = None,
    config: str | None = None,
    *,
    scheme: Kind | None = None,
    nms_iou: float | None = None,
    blend: Blend | None = None,
    caution: float | None = None,
    wide: int | None = None,
    passes: int | None = None,
    withdrawn: float | None = None,
    keep: float | None = None,
    max_patches: int | None = None,
    backend: str = "auto",
    preset: str | None = None,
) -> Refiner:
    """A refiner for a model by name, an exported ``.onnx`` or a training ``.pth``: ``refined = refiner(image, masks)``.

    Args:
        model: default: ``starter``.
        config: config of a ``.pth`` (default: the one beside it).
        scheme: where to put patches: ``dense``, ``grid`` or ``instance`` (default: the model's).
        nms_iou: suppress patches of larger IoU (default: the model's); a higher number means more patches.
        blend: where patches overlap, the plain ``mean``, or ``centred``: a patch's middle counts more (default: the model's).
        caution: change a pixel only where the network is surer than one half by so much, .1 say: harms fewer masks, and boundaries gain
            a little less F (default: the model's).
        wide: refine instances of at least ``wide**2`` pixels with patches of this side first; 0: not (default: the model's).
        passes: look at a mask at most so many times (default: the model's).
        withdrawn: look again only where the boundary has withdrawn so many pixels into the mask, and average with the first look;
            0: refine the whole refined mask again (default: the model's).
        keep: spend only this share of an image's patches, where the masks look worst; elsewhere they stay as they are.
        max_patches: spend at most so many patches on an image.
        backend: what runs the network, a name of ``bpr refine --backend``; ``auto`` never rounds more than the model does.
        preset: ``accurate``, ``balanced`` or ``fast``, in the place of model, config and backend (docs/speed.md).

    Raises:
        BPRError: no such model or backend, its file cannot be used, or an option is not possible.
    """
    from bpr.refinement.refiner import Refiner

    options = {"kind": scheme, "nms_iou": nms_iou, "blend": blend, "caution": caution, "wide": wide, "passes": passes}
    options |= {"withdrawn": withdrawn, "keep": keep, "max_patches": max_patches}
    if preset is None:
        from bpr.backends import DEFAULT_MODEL, load_predictor

        return Refiner(load_predictor(model or DEFAULT_MODEL, config, backend, **options))
    if model is not None or config is not None or backend != "auto":
        from bpr.errors import BPRError

        raise BPRError(f"preset {preset!r}: expected no model, config or backend beside it; it names its own")
    from bpr.backends.presets import load_preset

    return Refiner(load_preset(preset, **options))


def __getattr__(name: str) -> Any:
    if name == "Refiner":
        from bpr.refinement.refiner import Refiner

        return Refiner
    if name == "BPRError":
        from bpr.errors import BPRError

        return BPRError
    raise AttributeError(f"module 'bpr' has no attribute {name!r}")
