"""Which backends say what the reference says: the record that ``benchmarks/studies/parity.py`` leaves beside the models.

The record is keyed by the SHA-256 of a model's file, so a model that changed has passed nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bpr.io.files import read_json, sha256_of

RECORD = "parity.json"
MOST_POINTS = 0.2
"""Reduced precision may move F@2px on DAVIS val by so many points; float32 may move no mask."""


def record_beside(model: str | Path) -> Path:
    return Path(model).with_name(RECORD)


def passed(model: str | Path, backend: str) -> bool:
    """Whether ``backend`` was measured on this very file and stayed within its gate. What was not measured has not passed."""
    backends: dict[str, Any] = _entry(model).get("backends", {})
    return bool(backends.get(backend, {}).get("passed", False))


def on_record(model: str | Path) -> bool:
    """Whether any backend was measured on this very file."""
    return bool(_entry(model))


def _entry(model: str | Path) -> dict[str, Any]:
    """What the record says of this very file; nothing where it is not on record."""
    record = record_beside(model)
    known: dict[str, Any] = read_json(record, "a record of benchmarks/studies/parity.py") if record.is_file() else {}
    return known.get(sha256_of(model), {}) if known else {}


def within_gate(exact: bool, equal_masks: float, points: float) -> bool:
    """Of a share of equal masks and a change of F@2px in points.

    >>> within_gate(True, 1.0, 0.0), within_gate(True, 0.99, 0.0), within_gate(False, 0.4, -0.19)
    (True, False, True)
    """
    return equal_masks == 1.0 if exact else abs(points) <= MOST_POINTS
