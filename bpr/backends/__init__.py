"""Load a model that a user names: one that comes with the package, an exported ONNX file, a training checkpoint."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from bpr.backends.exported import check_exists
from bpr.backends.gates import on_record, record_beside
from bpr.backends.registry import AUTO, BACKENDS, CONFIGURED, choose
from bpr.errors import BPRError, shown
from bpr.geometry.options import RefineOptions
from bpr.refinement.predictor import IdentityPredictor, PatchBatch, Predictor
from bpr.refinement.refiner import Refiner

DEFAULT_MODEL = "starter"
_LOG = logging.getLogger(__name__)


def named_models() -> dict[str, Path]:
    """The models that come with the package, by name."""
    return {path.stem: path for path in sorted(Path(str(resources.files("bpr") / "assets")).glob("*.onnx"))}


def load_refiner(
    model: str | Path | None = None,
    config: str | Path | None = None,
    backend: str = AUTO,
    preset: str | None = None,
    **options: Any,
) -> Refiner:
    """The refiner of a model or a preset.

    Args:
        model: as for :func:`load_predictor`; by default :data:`DEFAULT_MODEL`.
        config: as for :func:`load_predictor`.
        backend: as for :func:`load_predictor`.
        preset: a name of :data:`~bpr.backends.presets.PRESETS`, instead of model, config and backend.
        options: fields of :class:`~bpr.geometry.options.RefineOptions`; None keeps the recommendation of the model.

    Raises:
        BPRError: as for :func:`load_predictor`, no such preset, or an option that does not exist or is not possible.
    """
    if preset is None:
        predictor = load_predictor(model or DEFAULT_MODEL, config, backend)
    elif model is not None or config is not None or backend != AUTO:
        raise BPRError(f"preset {preset!r}: expected no model, config or backend with it; leave them out, it sets them")
    else:
        from bpr.backends.presets import load_preset

        predictor = load_preset(preset)
    return Refiner(predictor, changed_options(predictor.recommended, options))


def changed_options(recommended: RefineOptions, options: Mapping[str, Any]) -> RefineOptions:
    """The recommended options with those that are not None replaced.

    Raises:
        BPRError: an option that does not exist or is not possible.
    """
    known = [field.name for field in fields(RefineOptions)]
    if unknown := [name for name in options if name not in known]:
        raise BPRError(f"expected options of {', '.join(known)}, got {shown(unknown[0])}; leave it out")
    try:
        return recommended.changed(**options)
    except ValueError as error:
        raise BPRError(str(error)) from error


def load_predictor(model: str | Path, config: str | Path | None = None, backend: str = AUTO) -> Predictor:
    """The predictor of ``model``: ``identity``, a name of :func:`named_models`, a ``.onnx`` or a ``.pth`` file.

    Args:
        config: of a ``.pth`` file; by default the only one in its folder.
        backend: the backend that runs it, a name of :func:`~bpr.backends.registry.names`.

    Raises:
        BPRError: no such model or backend, its file cannot be used, or a config conflicts with it.
    """
    if config is not None and Path(model).suffix != CONFIGURED:
        remedy = f"only a {CONFIGURED} file needs one, leave it out"
        raise BPRError(f"model {model}: expected no config with it, got {config}; {remedy}")
    if str(model) == "identity":
        return IdentityPredictor()
    path = model_file(model)
    if str(model) in named_models() and not on_record(path):  # damaged weights would refine worse
        expected = f"expected a file that is on record in {record_beside(path)}"
        raise BPRError(f"model {model}: {expected}, got another; install bpr again")
    return LoadedPredictor(model, config, backend, path)


class LoadedPredictor:
    """The network of a model that was loaded by name. It is pickled as its name and its settings, without weights.

    Attributes:
        model: the name of the model, or the absolute path of its file.
        backend: the backend that runs it.
    """

    def __init__(self, model: str | Path, config: str | Path | None, backend: str, path: Path) -> None:
        chosen = choose(path, backend)
        self.model = str(model) if str(model) in named_models() else os.path.abspath(path)
        self.backend = chosen.name
        if config is not None and os.path.isfile(config):
            config = os.path.abspath(config)
        self._asked = self.model, config, backend
        try:
            self._network = chosen.load(path, config)
        except ValueError as error:
            raise BPRError(f"model {model}: {error}") from error
        self.spec, self.recommended, self.batch_size = (
            self._network.spec,
            self._network.recommended,
            self._network.batch_size,
        )
        _LOG.info("loaded %r", self)

    def __repr__(self) -> str:
        threads = f"{self._network.threads or 'the default number of'} threads"
        return f"{self.model} on {self.backend}, {self._network.provider}, {threads}, batches of {self.batch_size}"

    def __reduce__(self) -> tuple[Any, ...]:
        return load_predictor, self._asked, {"recommended": self.recommended}

    def predict(self, batch: PatchBatch) -> np.ndarray:
        return self._network.predict(batch)


def model_file(model: str | Path) -> Path:
    """The file of a model by name or path.

    Raises:
        BPRError: neither a name that is known nor a file of a kind that a backend reads, or no such file.
    """
    path = named_models().get(str(model), Path(model))
    if path.suffix not in {backend.suffix for backend in BACKENDS.values()}:
        known = ", ".join(["identity", *named_models()])
        raise BPRError(f"model {str(model)!r}: expected one of {known}, or a .onnx or .pth file")
    return check_exists(path)
