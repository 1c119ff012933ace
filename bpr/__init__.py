"""Any instance masks in, better boundaries out.

>>> import bpr
>>> refiner = bpr.load("identity")
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bpr.errors import BadImage, BadInput, BadMask, BadUsage, BPRError
    from bpr.job import Unfinished
    from bpr.refinement.outcome import RunReport
    from bpr.refinement.refiner import Refinement, Refiner
    from bpr.version import __version__ as __version__

# From 1.29 on, ONNX Runtime reports every model that it loads to its makers, unless this is set before its first import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = [
    "BPRError",
    "BadImage",
    "BadInput",
    "BadMask",
    "BadUsage",
    "Refinement",
    "Refiner",
    "Unfinished",
    "load",
    "read_mask",
    "refine_file",
]
_HOMES = {
    **dict.fromkeys(("BPRError", "BadImage", "BadInput", "BadMask", "BadUsage"), "bpr.errors"),
    **dict.fromkeys(("Refinement", "Refiner"), "bpr.refinement.refiner"),
    "Unfinished": "bpr.job",
    "__version__": "bpr.version",
}
"""The modules of names that are imported when they are used, so that ``import bpr`` costs nothing."""


def load(
    model: str | Path | None = None,
    config: str | Path | None = None,
    *,
    backend: str = "auto",
    preset: str | None = None,
    threads: int | None = None,
    batch_size: int | None = None,
    **options: Any,
) -> Refiner:
    """A refiner for a model by name, an exported ``.onnx`` or a training ``.pth``: ``refined = refiner(image, masks)``.

    Args:
        model: default: ``starter``.
        config: config of a ``.pth`` (default: the one in its folder).
        backend: the software that runs the network, as for ``bpr refine --backend``; ``auto`` never reduces precision.
        preset: ``accurate``, ``balanced`` or ``fast``, instead of model, config and backend (docs/speed.md).
        threads: of the network on the CPU. Default: all cores that the process may use, by its affinity and by the CPU
            quota of its container.
        batch_size: patches that the network gets at once; its memory grows with them. No other results on a CPU.
        options: ``scheme``, ``nms_iou``, ``blend``, ``caution``, ``keep``, ``max_patches``: the fields of
            :class:`~bpr.geometry.options.RefineOptions`. By default the model decides.

    The refiner says in its ``repr`` what it runs on, and the logger ``bpr`` does so at INFO. Threads may share it: their
    batches queue for one network with one memory. It is pickled by its name and its options, so another process loads
    the model anew.

    Raises:
        BPRError: no such model or backend, its file cannot be used, or an option is invalid.
    """
    from bpr.backends import load_refiner

    return load_refiner(model, config, backend, preset, threads, batch_size, **options)


def read_mask(picture: str | Path | bytes) -> NDArray[np.bool_]:
    """The (H, W) bool mask of one object in a picture (PNG, JPEG, TIFF, WebP or BMP), given as a file or its bytes.

    The object is what is opaque where the transparency varies; else what is lighter than half grey, or has the one
    colour or number that is not black or 0. A mask that is empty or covers the whole picture is warned about.

    Raises:
        BadMask: no such file, not a picture, a damaged one, or one of several objects, as far as one can see.
    """
    from bpr.io.mask_picture import read_mask

    return read_mask(picture)


def refine_file(
    results: str | Path,
    out: str | Path,
    *,
    resume: bool = False,
    on_progress: Callable[[int], None] = lambda done: None,
    **settings: Any,
) -> RunReport:
    """Refine a file or folder of masks into ``out``, in the same format: ``bpr refine`` as a function.

    Args:
        results: masks in any format of docs/formats.md.
        out: the file or folder to write.
        resume: continue an unfinished run with the same settings.
        on_progress: called with the number of records that are done.
        settings: fields of :class:`bpr.job.RefineJob` (``images``, ``ann``, ``model``, ``backend``, ``min_score``, ...)
            and options of :func:`load` (``scheme``, ``blend``, ``caution``, ``keep``, ...).

    Returns:
        How many records were refined, which were not and why, and where the time went.

    Raises:
        BPRError: an input cannot be read, the output cannot be written, or there is an unfinished run with this output.
    """
    from dataclasses import fields

    from bpr.backends import LOADING, check_names
    from bpr.job import RefineJob

    names = {field.name for field in fields(RefineJob)}
    options = {name: settings.pop(name) for name in list(settings) if name not in names}
    check_names(options, sorted({*LOADING, *names}))
    return RefineJob(results, out, **{"options": options, **settings}).run(resume=resume, on_progress=on_progress)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'bpr' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
