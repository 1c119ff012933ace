"""Load a model that a user names: one that comes with the package, an exported ONNX file, a training checkpoint."""

from __future__ import annotations

import ctypes
import logging
import os
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bpr.backends.exported import check_exists
from bpr.backends.folders import check_digest, named_models
from bpr.backends.registry import AUTO, BACKENDS, BATCH_SIZE, CONFIGURED, choose
from bpr.errors import BadUsage, BPRError, did_you_mean, shown
from bpr.geometry.options import RefineOptions
from bpr.io.pixels import PixelOptions
from bpr.refinement.predictor import IdentityPredictor, PatchBatch, Predictor
from bpr.refinement.refiner import Refiner
from bpr.refinement.turns import Turns

DEFAULT_MODEL = "starter"
LOADING = ("backend", "preset", "threads", "batch_size")
"""What :func:`load_refiner` takes beside the model and the options of refining."""
_LOG = logging.getLogger(__name__)


def load_refiner(
    model: str | Path | None = None,
    config: str | Path | None = None,
    backend: str = AUTO,
    preset: str | None = None,
    threads: int | None = None,
    batch_size: int | None = None,
    **options: Any,
) -> Refiner:
    """The refiner of a model or a preset.

    Args:
        model, config, backend, threads, batch_size: as for :func:`load_predictor`; the model is by default
            :data:`DEFAULT_MODEL`.
        preset: a name of :data:`~bpr.backends.presets.PRESETS`, instead of model, config and backend.
        options: fields of :class:`~bpr.geometry.options.RefineOptions`, where None keeps the recommendation of the
            model, and of :class:`~bpr.io.pixels.PixelOptions`.

    Raises:
        BPRError: as for :func:`load_predictor`, no such preset, or an option that does not exist or is not possible.
    """
    check_names(options, LOADING)
    if preset is None:
        predictor = load_predictor(DEFAULT_MODEL if model is None else model, config, backend, threads, batch_size)
    elif model is not None or config is not None or backend != AUTO:
        raise BadUsage(f"preset {preset!r}: expected no model, config or backend with it; leave them out, it sets them")
    else:
        from bpr.backends.presets import load_preset

        predictor = load_preset(preset, threads, batch_size)
    return refiner_of(predictor, options)


def refiner_of(predictor: Predictor, options: Mapping[str, Any]) -> Refiner:
    """The refiner of a predictor with options as for :func:`load_refiner`."""
    check_names(options)
    of_pixels = {field.name for field in fields(PixelOptions)} & options.keys()
    others = {name: value for name, value in options.items() if name not in of_pixels}
    try:
        pixels = PixelOptions(**{name: options[name] for name in of_pixels})
        return Refiner(predictor, predictor.recommended.changed(**others), pixels)
    except ValueError as error:  # an option that is not possible, or that the model cannot serve
        raise BadUsage(str(error)) from error


def check_names(options: Iterable[str], others: Iterable[str] = ()) -> None:
    """Raise a BPRError where an option is none of refining.

    Args:
        others: names beside those of refining that the caller takes.
    """
    known = [*(field.name for kind in (RefineOptions, PixelOptions) for field in fields(kind)), *others]
    for name in options:
        if name not in known:
            remedy = did_you_mean(name, known) or "; leave it out"
            raise BPRError(f"expected options of {', '.join(known)}, got {shown(name)}{remedy}")


def load_predictor(
    model: str | Path,
    config: str | Path | None = None,
    backend: str = AUTO,
    threads: int | None = None,
    batch_size: int | None = None,
) -> Predictor:
    """The predictor of ``model``: ``identity``, a name of :func:`~bpr.backends.folders.named_models`, a ``.onnx`` or a
    ``.pth`` file.

    Args:
        config: of a ``.pth`` file; by default the only one in its folder.
        backend: the backend that runs it, a name of :func:`~bpr.backends.registry.names`.
        threads: of the network on the CPU; None takes all cores that the process may use.
        batch_size: patches that the network gets at once.

    Raises:
        BPRError: no such model or backend, its file cannot be used, or a setting is not possible.
    """
    for name, value in (("threads", threads), ("batch_size", batch_size)):
        if value is not None and (type(value) is not int or value < 1):
            raise BPRError(f"{name}: expected a whole number of 1 or more, got {shown(value)}")
    if config is not None and Path(model).suffix != CONFIGURED:
        remedy = f"only a {CONFIGURED} file needs one, leave it out"
        raise BadUsage(f"model {model}: expected no config with it, got {config}; {remedy}")
    if str(model) == "identity":
        return IdentityPredictor(batch_size=batch_size or BATCH_SIZE)
    path = model_file(model)
    if str(model) in named_models():
        check_digest(str(model), path)
    return LoadedPredictor(model, path, backend, config, threads, batch_size or BATCH_SIZE)


class LoadedPredictor:
    """The network of a model that was loaded by name, for all threads of the process.

    Threads share one session with its memory: their batches queue. It is pickled as its name and its settings,
    without weights. In a forked process it is loaded anew, because the threads of a runtime do not survive a fork.

    Attributes:
        model: the name of the model, or the absolute path of its file.
        backend: the backend that runs it.
    """

    def __init__(
        self, model: str | Path, path: Path, backend: str, config: str | Path | None, threads: int | None, batch_size: int
    ) -> None:
        chosen = choose(path, backend)
        self.model = str(model) if str(model) in named_models() else os.path.abspath(path)
        self.backend, self.batch_size = chosen.name, batch_size
        if config is not None and os.path.isfile(config):
            config = os.path.abspath(config)
        self._asked = self.model, config, backend, threads, batch_size
        configured = {} if config is None else {"config": config}
        self._load = partial(chosen.load, path.absolute(), batch_size=batch_size, threads=threads, **configured)
        try:
            self._network = self._load()
        except ValueError as error:
            raise BPRError(f"model {model}: {error}") from error
        network = self._network
        self.spec, self.recommended, self.verdict = network.spec, network.recommended, network.verdict
        self._one_caller, self._process = Turns(1), os.getpid()
        _EVERY.add(self)
        _LOG.info("loaded %r", self)

    def __repr__(self) -> str:
        threads, provider = self._network.threads or "all cores", self._network.provider
        return f"{self.model} on {self.backend}, {provider}, threads: {threads}, batch size: {self.batch_size}"

    def __reduce__(self) -> tuple[Any, ...]:
        return load_predictor, self._asked, {"recommended": self.recommended}

    def predict(self, batch: PatchBatch) -> np.ndarray:
        with self._one_caller:
            if self._process != os.getpid():
                self._network, self._process = self._load(), os.getpid()
            return self._network.predict(batch)


_EVERY: weakref.WeakSet[LoadedPredictor] = weakref.WeakSet()


def _keep_after_fork() -> None:
    """Never free a session of the parent, not even at exit: it would wait for its threads, which a fork leaves behind."""
    for predictor in _EVERY:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(predictor._network))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_keep_after_fork)


def start_file(model: str) -> Path:
    """The exported file, by name or path, from which a training can start.

    Raises:
        BPRError: neither a name that is known nor an ONNX file, or no such file.
    """
    path = named_models().get(model, Path(model))
    if path.suffix != ".onnx":
        names = sorted(name for name in named_models() if not name.endswith(".int8"))
        expected = f"expected one of {', '.join(names)}, or a file that bpr export or bpr train wrote (.onnx)"
        raise BPRError(f"--from {model}: {expected}{did_you_mean(model, names)}")
    return check_exists(path)


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
