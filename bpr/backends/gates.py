"""Which backends agree with the reference: a record, written by the benchmark ``parity.py`` next to the models.

The record is keyed by the SHA-256 of a model's file, so a changed file counts as not measured.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bpr.backends.folders import model_digest
from bpr.io.files import read_json

RECORD = "parity.json"
MOST_POINTS = 0.2
"""Reduced precision may cost at most this many points of F@2px on DAVIS val; float32 may not change any mask."""


def record_beside(model: str | Path) -> Path:
    return Path(model).with_name(RECORD)


def gates_of(model: str | Path) -> dict[str, bool]:
    """Whether each backend that was measured on exactly this file stayed within its gate; empty for any other file."""
    record = record_beside(model)
    known: dict[str, Any] = read_json(record, "a record of benchmarks/studies/parity.py") if record.is_file() else {}
    measured = known.get(model_digest(Path(model)), {}).get("backends", {}) if known else {}
    return {backend: bool(found.get("passed", False)) for backend, found in measured.items()}


def within_gate(exact: bool, equal_masks: float, points: float) -> bool:
    """Whether a backend passes, given its share of equal masks and its change of F@2px in points.

    >>> within_gate(True, 1.0, 0.0), within_gate(True, 0.99, 0.0), within_gate(False, 0.4, -0.19)
    (True, False, True)
    >>> within_gate(False, 0.4, -0.21), within_gate(False, 0.4, 0.5)
    (False, True)
    """
    return equal_masks == 1.0 if exact else points >= -MOST_POINTS
