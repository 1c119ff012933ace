"""Any instance masks in, better boundaries out.

>>> import bpr
>>> refiner = bpr.load("identity")
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bpr.refinement.outcome import RunReport
    from bpr.refinement.refiner import Refiner
    from bpr.version import __version__ as __version__

__all__ = ["BPRError", "Refiner", "load", "refine_file"]


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
        config: config of a ``.pth`` (default: the one in its folder).
        backend: the software that runs the network, as for ``bpr refine --backend``; ``auto`` never reduces precision.
        preset: ``accurate``, ``balanced`` or ``fast``, instead of model, config and backend (docs/speed.md).
        options: ``scheme``, ``nms_iou``, ``blend``, ``caution``, ``keep``, ``max_patches``: the fields of
            :class:`~bpr.geometry.options.RefineOptions`. By default the model decides.

    Raises:
        BPRError: no such model or backend, its file cannot be used, or an option is invalid.
    """
    from bpr.backends import load_refiner

    return load_refiner(model, config, backend, preset, **options)


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

    from bpr.job import RefineJob

    names = {field.name for field in fields(RefineJob)}
    options = {name: settings.pop(name) for name in list(settings) if name not in names}
    return RefineJob(results, out, **{"options": options, **settings}).run(resume=resume, on_progress=on_progress)


def __getattr__(name: str) -> Any:
    if name == "Refiner":
        from bpr.refinement.refiner import Refiner

        return Refiner
    if name == "BPRError":
        from bpr.errors import BPRError

        return BPRError
    if name == "__version__":
        from bpr.version import __version__

        return __version__
    raise AttributeError(f"module 'bpr' has no attribute {name!r}")
