"""From what a user names to a predictor: a model of ours by name, an exported ONNX file, a training checkpoint."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from bpr.errors import BPRError
from bpr.refinement.predictor import IdentityPredictor, Predictor


def named_models() -> dict[str, Path]:
    """The models that come with the package, by name."""
    return {path.stem: path for path in sorted(Path(str(resources.files("bpr") / "assets")).glob("*.onnx"))}


def load_predictor(model: str | Path, config: str | Path | None = None) -> Predictor:
    """The predictor of ``model``: ``identity``, a name of :func:`named_models`, a ``.onnx`` or a ``.pth`` file.

    Raises:
        BPRError: no such model, or its file cannot be used.
    """
    if str(model) == "identity":
        return IdentityPredictor()
    path = named_models().get(str(model), Path(model))
    if path.suffix == ".onnx":
        from bpr.backends.onnx_runtime import OnnxPredictor

        return OnnxPredictor(path)
    if path.suffix == ".pth":
        from bpr.backends.mmseg import MMSegPredictor

        return MMSegPredictor(path, config)
    known = ", ".join(["identity", *named_models()])
    raise BPRError(f"model {str(model)!r}: expected one of {known}, or a .onnx or .pth file")
