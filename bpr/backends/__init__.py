"""From what a user names to a predictor: a model of ours by name, an exported ONNX file, a training checkpoint."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from bpr.backends.exported import check_exists
from bpr.backends.gates import on_record, record_beside
from bpr.backends.registry import AUTO, CONFIGURED, SUFFIXES, choose
from bpr.errors import BPRError
from bpr.geometry.scheme import PatchScheme
from bpr.refinement.predictor import IdentityPredictor, Predictor

DEFAULT_MODEL = "starter"

def named_models() -> dict[str, Path]:
    """The models that come with the package, by name."""
    return {path.stem: path for path in sorted(Path(str(resources.files("bpr") / "assets")).glob("*.onnx"))}


def load_predictor(model: str | Path, config: str | Path | None = None, backend: str = AUTO, **options: Any) -> Predictor:
    """The predictor of ``model``: ``identity``, a name of :func:`named_models`, a ``.onnx`` or a ``.pth`` file.

    Args:
        config: of a ``.pth`` file; by default the only one beside it.
        backend: what runs it, a name of :data:`~bpr.backends.registry.NAMES`.
        options: values of its :class:`PatchScheme` to refine with; None leaves the model's. What the model was trained
            with (side, padding, inputs) can be said but not changed.

    Raises:
        BPRError: no such model or backend, its file cannot be used, or a config or an option conflicts with it.
    """
    if config is not None and Path(model).suffix != CONFIGURED:
        raise BPRError(f"model {model}: expected no config beside it, got {config}; only a {CONFIGURED} file needs one, leave it out")
    try:
        if str(model) == "identity":
            return IdentityPredictor(PatchScheme().changed(**options))
        path = model_file(model)
        _check_whole(model, path)
        chosen = choose(path, backend)
        predictor = chosen.load(path, config)
        predictor.backend = chosen.name
        predictor.scheme = predictor.scheme.refining_with(**options)
    except ValueError as error:
        raise BPRError(f"model {model}: {error}") from error
    return predictor


def model_file(model: str | Path) -> Path:
    """The file of a model by name or path.

    Raises:
        BPRError: neither a name that is known nor a file of a kind that a backend reads, or no such file.
    """
    path = named_models().get(str(model), Path(model))
    if path.suffix not in SUFFIXES:
        known = ", ".join(["identity", *named_models()])
        raise BPRError(f"model {str(model)!r}: expected one of {known}, or a .onnx or .pth file")
    return check_exists(path)


def _check_whole(model: str | Path, path: Path) -> None:
    """Raise a BPRError where a file of ours is not the one that was measured: flipped bytes in its weights would run, and refine worse."""
    if str(model) in named_models() and not on_record(path):
        raise BPRError(f"model {model}: expected a file that is on record in {record_beside(path)}, got another; install bpr again")
