"""Named points on the curve of quality against time: model, precision and share of the patches (docs/speed.md)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bpr.backends import DEFAULT_MODEL, load_predictor, model_file
from bpr.backends.gates import passed
from bpr.backends.registry import AUTO, BACKENDS
from bpr.errors import BPRError
from bpr.refinement.predictor import Predictor

BYTES = re.compile(r"\b(avx512_vnni|avx_vnni|amx_int8)\b")
"""What Linux calls a processor that multiplies bytes without losing any."""
ROUNDED = "openvino-bf16"
"""What runs an int8 file; the layers that stay in float take bfloat16 where the processor has it."""


@dataclass(frozen=True)
class Preset:
    """A bundle of what decides quality and time.

    Attributes:
        model: a name of ours.
        int8: take its int8 file where that has passed its gate and the processor multiplies bytes; else the model as it is.
        keep: share of the patches that are spent (:class:`~bpr.geometry.scheme.PatchScheme`).
    """

    model: str
    int8: bool = False
    keep: float = 1.0


PRESETS = {
    "accurate": Preset(DEFAULT_MODEL),
    "balanced": Preset(DEFAULT_MODEL, int8=True),
    "fast": Preset("starter-fast", int8=True, keep=0.75),
}


def load_preset(name: str, **options: Any) -> Predictor:
    """The predictor of a preset; ``options`` that are not None go before its own.

    Raises:
        BPRError: no such preset, or an option that its model cannot take.
    """
    if name not in PRESETS:
        raise BPRError(f"preset {name!r}: expected one of {', '.join(PRESETS)}")
    preset = PRESETS[name]
    model, backend = (f"{preset.model}.int8", ROUNDED) if preset.int8 and _runs_in_int8(preset.model) else (preset.model, AUTO)
    given = {option: value for option, value in options.items() if value is not None}
    return load_predictor(model, backend=backend, **{"keep": preset.keep, **given})


def _runs_in_int8(model: str) -> bool:
    return multiplies_bytes() and not BACKENDS[ROUNDED].missing() and passed(model_file(f"{model}.int8"), ROUNDED)


def multiplies_bytes() -> bool:
    """Whether this processor is known to have instructions for int8; without them int8 may saturate, and is not faster."""
    info = Path("/proc/cpuinfo")
    return info.is_file() and BYTES.search(info.read_text()) is not None
