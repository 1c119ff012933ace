"""Presets: a model, its precision and the share of the patches, from the best quality to the fastest."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from bpr.backends import DEFAULT_MODEL, load_predictor, model_file
from bpr.backends.gates import gates_of
from bpr.backends.registry import AUTO, BACKENDS
from bpr.errors import BPRError
from bpr.refinement.predictor import Predictor

BYTES = re.compile(r"\b(avx512_vnni|avx_vnni|amx_int8)\b")
"""How Linux names the instructions that multiply bytes without saturating."""
INT8_BACKEND = "openvino-bf16"
"""The backend of an int8 file; layers that stay in float use bfloat16 if the processor has it."""


@dataclass(frozen=True)
class Preset:
    """The settings that together determine quality and time.

    Attributes:
        model: the name of a model.
        int8: take its int8 file if that has passed its gate and the processor multiplies bytes, else the float model.
        keep: the share of an image's patches that is used (:class:`~bpr.geometry.options.RefineOptions`).
    """

    model: str
    int8: bool = False
    keep: float = 1.0


PRESETS = {
    "accurate": Preset(DEFAULT_MODEL),
    "balanced": Preset(DEFAULT_MODEL, int8=True),
    "fast": Preset("starter-fast", int8=True, keep=0.75),
}


def load_preset(name: str, threads: int | None = None, batch_size: int | None = None) -> Predictor:
    """The predictor of a preset; its recommended options hold the preset's share of patches.

    Args:
        threads, batch_size: as for :func:`~bpr.backends.load_predictor`.

    Raises:
        BPRError: no such preset.
    """
    if name not in PRESETS:
        raise BPRError(f"preset {name!r}: expected one of {', '.join(PRESETS)}")
    preset = PRESETS[name]
    runs_int8 = multiplies_bytes() and not BACKENDS[INT8_BACKEND].missing()
    int8 = preset.int8 and runs_int8 and gates_of(model_file(f"{preset.model}.int8")).get(INT8_BACKEND, False)
    model, backend = (f"{preset.model}.int8", INT8_BACKEND) if int8 else (preset.model, AUTO)
    predictor = load_predictor(model, backend=backend, threads=threads, batch_size=batch_size)
    predictor.recommended = predictor.recommended.changed(keep=preset.keep)
    return predictor


def multiplies_bytes() -> bool:
    """Whether this processor is known to have instructions for int8; without them int8 may saturate, and is not faster."""
    info = Path("/proc/cpuinfo")
    return info.is_file() and BYTES.search(info.read_text()) is not None
