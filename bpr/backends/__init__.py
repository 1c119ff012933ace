"""From what a user names to a predictor: a model of ours by name, an exported ONNX file, a training checkpoint."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from bpr.errors import BPRError
from bpr.geometry.scheme import PatchScheme
from bpr.refinement.predictor import IdentityPredictor, Predictor


def named_models() -> dict[str, Path]:
    """The models that come with the package, by name."""
    return {path.stem: path for path in sorted(Path(str(resources.files("bpr") / "assets")).glob("*.onnx"))}


def load_predictor(model: str | Path, config: str | Path | None = None, **options: Any) -> Predictor:
    """The predictor of ``model``: ``identity``, a name of :func:`named_models`, a ``.onnx`` or a ``.pth`` file.

    Args:
        options: values of its :class:`PatchScheme` to refine with; None leaves the model's. What the model was trained
            with (side, padding, inputs) can be said but not changed.

    Raises:
        BPRError: no such model, its file cannot be used, or an option conflicts with it.
    """
    try:
        if str(model) == "identity":
            return IdentityPredictor(PatchScheme().changed(**options))
        predictor = _load_trained(model, config)
        predictor.scheme = predictor.scheme.refining_with(**options)
    except ValueError as error:
        raise BPRError(f"model {model}: {error}") from error
    return predictor


def _load_trained(model: str | Path, config: str | Path | None) -> Predictor:
    path = named_models().get(str(model), Path(model))
    if path.suffix == ".onnx":
        from bpr.backends.onnx_runtime import OnnxPredictor

        return OnnxPredictor(path)
    if path.suffix == ".pth":
        from bpr.backends.mmseg import MMSegPredictor

        return MMSegPredictor(path, config)
    known = ", ".join(["identity", *named_models()])
    raise BPRError(f"model {str(model)!r}: expected one of {known}, or a .onnx or .pth file")
