"""The backends that run a model, one row each: which files they read, what they need, and which one ``auto`` takes."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from bpr.backends.gates import gates_of
from bpr.errors import BPRError, install_hint
from bpr.refinement.predictor import Predictor

AUTO = "auto"
BATCH_SIZE = 64
"""Patches that the network gets at once."""


class NetworkPredictor(Predictor, Protocol):
    """A predictor that runs a network.

    Attributes:
        provider: the device, or the part of the runtime, that computes.
        threads: of the network on the CPU; None: the runtime chose their number.
    """

    @property
    def provider(self) -> str: ...

    @property
    def threads(self) -> int | None: ...


Loader = Callable[..., NetworkPredictor]


@dataclass(frozen=True)
class Backend:
    """One backend.

    Attributes:
        suffix: of the files that it reads.
        load: makes its predictor from a file and, by name, ``batch_size``, ``threads`` and the ``config`` where one is needed.
        needs: modules that must be installed, and how to install them.
        speed: of the backends that are allowed for ``auto``, it takes the one with the highest number.
        provider: an execution provider that the build of ONNX Runtime must have.
        exact: computes in float32; otherwise it rounds to fewer bits.
        reference: other backends are compared with it; it needs no gate.
    """

    name: str
    suffix: str
    load: Loader
    needs: tuple[tuple[str, ...], str]
    speed: int
    provider: str | None = None
    exact: bool = True
    reference: bool = False

    def missing(self) -> str | None:
        """What must be installed before it runs here, and how; None if nothing is missing."""
        modules, remedy = self.needs
        absent = next((module for module in modules if importlib.util.find_spec(module) is None), None)
        if absent is None and self.provider is not None:
            import onnxruntime

            absent = None if self.provider in onnxruntime.get_available_providers() else self.provider
        return None if absent is None else f"expected {absent} to be installed, got none; {remedy}"


def _loader(module: str, name: str, **fixed: Any) -> Loader:
    """Loads a predictor class, which is imported only then: refining depends on no other runtime, and not on training."""

    def load(path: Path, **settings: Any) -> NetworkPredictor:
        kind: Loader = getattr(importlib.import_module(module), name)
        return kind(path, **settings, **fixed)

    return load


_onnxruntime = partial(_loader, "bpr.backends.onnx_runtime", "OnnxPredictor")
_openvino = partial(_loader, "bpr.backends.openvino", "OpenVinoPredictor")
_torch = partial(_loader, "bpr.training.torch_predictor", "MMSegPredictor")
CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
ORT = (("onnxruntime",), "pip install onnxruntime")
ORT_GPU = (("onnxruntime",), "pip install onnxruntime-gpu in the place of onnxruntime")
OPENVINO = (("openvino",), install_hint("openvino"))
TORCH = (("torch", "mmseg"), install_hint("train"))
BACKENDS = {
    backend.name: backend
    for backend in (
        Backend("onnxruntime-tensorrt", ".onnx", _onnxruntime(provider=TENSORRT), ORT_GPU, 5, TENSORRT, exact=False),
        Backend("onnxruntime-cuda", ".onnx", _onnxruntime(provider=CUDA), ORT_GPU, 4, CUDA),
        Backend("openvino-bf16", ".onnx", _openvino(bf16=True), OPENVINO, 3, exact=False),
        Backend("openvino", ".onnx", _openvino(bf16=False), OPENVINO, 2),
        Backend("onnxruntime", ".onnx", _onnxruntime(provider=CPU), ORT, 1, CPU, reference=True),
        Backend("torch-bf16", ".pth", _torch(bf16=True), TORCH, 2, exact=False),
        Backend("torch", ".pth", _torch(bf16=False), TORCH, 1, reference=True),
    )
}
"""The benchmark ``backend_speed.py`` compares the speed of those that are installed."""
CONFIGURED = ".pth"
"""The suffix of files that need a config; an exported file carries all that it needs."""


def names() -> list[str]:
    """The names that a user may choose."""
    return [AUTO, *BACKENDS]


def choose(model: Path, name: str = AUTO) -> Backend:
    """The backend ``name``, or with ``auto`` the fastest exact one that is installed and has passed its gate for ``model``.

    Raises:
        BPRError: no such backend, it reads other files, or it is not installed.
    """
    if name == AUTO:
        return _preferred(model)
    if name not in BACKENDS:
        raise BPRError(f"backend {name!r}: expected one of {', '.join(names())}")
    backend = BACKENDS[name]
    if model.suffix != backend.suffix:
        fitting = ", ".join(other.name for other in BACKENDS.values() if other.suffix == model.suffix)
        raise BPRError(f"backend {name}: expected a {backend.suffix} file, got {model.name}; it runs on {fitting}")
    if missing := backend.missing():
        raise BPRError(f"backend {name}: {missing}, or take auto")
    return backend


def _preferred(model: Path) -> Backend:
    exact = [backend for backend in BACKENDS.values() if backend.suffix == model.suffix and backend.exact]
    fastest_first = sorted(exact, key=lambda backend: -backend.speed)
    gates = gates_of(model)
    backend = next(one for one in fastest_first if one.reference or (not one.missing() and gates.get(one.name)))
    if missing := backend.missing():
        raise BPRError(f"{model}: {missing}")
    return backend
