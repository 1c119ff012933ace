"""Which backends agree with the reference: a record, written by the benchmark ``parity.py`` next to the models.

The record is keyed by the SHA-256 of a file's network, so a changed network counts as not measured. The metadata does not
count: a verdict is computed outside the backends, always in the same way, so a new one keeps what its network has passed.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

from bpr.io.files import read_json

RECORD = "parity.json"
MOST_POINTS = 0.2
"""Reduced precision may cost at most this many points of F@2px on DAVIS val; float32 may not change any mask."""

GRAPH = 7
"""The number of the graph among the fields of an ONNX file (ModelProto in onnx.proto)."""
VARINT, BYTES = 0, 2
"""How a field is written, by the lowest three bits of its key (the wire types of protocol buffers)."""


def record_beside(model: str | Path) -> Path:
    return Path(model).with_name(RECORD)


def gates_of(model: str | Path) -> dict[str, bool]:
    """Whether each backend that was measured on exactly this network stayed within its gate; empty for any other."""
    record = record_beside(model)
    known: dict[str, Any] = read_json(record, "a record of benchmarks/studies/parity.py") if record.is_file() else {}
    measured = known.get(network_digest(model), {}).get("backends", {}) if known else {}
    return {backend: bool(found.get("passed", False)) for backend, found in measured.items()}


def network_digest(model: str | Path) -> str:
    """The SHA-256 of the graph with its weights in an ONNX file, or of the whole file if it is none."""
    return sha256(_graph(Path(model).read_bytes())).hexdigest()


def _graph(file: bytes) -> bytes:
    """Found by hand, because the core needs no package that reads ONNX files."""
    place = 0
    while place < len(file):
        key, place = _varint(file, place)
        value, place = _varint(file, place)
        if key & 7 == BYTES:
            if key >> 3 == GRAPH:
                return file[place : place + value]
            place += value
        elif key & 7 != VARINT:
            break
    return file


def _varint(file: bytes, place: int) -> tuple[int, int]:
    """The number at a place, seven bits a byte and the lowest first, and the place behind it."""
    number = 0
    for shift, byte in enumerate(file[place : place + 10]):
        number |= (byte & 127) << 7 * shift
        if byte < 128:
            return number, place + shift + 1
    return number, len(file)


def within_gate(exact: bool, equal_masks: float, points: float) -> bool:
    """Whether a backend passes, given its share of equal masks and its change of F@2px in points.

    >>> within_gate(True, 1.0, 0.0), within_gate(True, 0.99, 0.0), within_gate(False, 0.4, -0.19)
    (True, False, True)
    >>> within_gate(False, 0.4, -0.21), within_gate(False, 0.4, 0.5)
    (False, True)
    """
    return equal_masks == 1.0 if exact else points >= -MOST_POINTS
