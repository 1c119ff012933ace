"""What a file of ``bpr export`` says of itself, for every runtime that reads it.

The file carries all it needs: its graph reads uint8 patches and gives probabilities (preprocessing inside), and its
metadata holds the patch scheme and where it comes from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bpr.errors import BPRError

METADATA_KEY = "bpr"
METADATA_VERSION = 1


def check_exists(path: str | Path) -> Path:
    """The path of a model file.

    Raises:
        BPRError: no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise BPRError(f"{path}: no such model file; expected an ONNX file written by bpr export")
    return path


def cannot_load(path: Path, runtime: str, error: Exception) -> BPRError:
    """Runtimes raise types of their own, of many lines; the first says most."""
    first = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return BPRError(f"{path}: {runtime} cannot load it ({first[:120]})")


def read_metadata(path: Path, properties: Mapping[str, str]) -> dict[str, Any]:
    """What ``bpr export`` wrote among the ``properties`` of an ONNX file.

    Raises:
        BPRError: the file was not written by BPR, or by another version of it.
    """
    try:
        metadata = json.loads(properties[METADATA_KEY])
        version = metadata["version"]
    except (KeyError, ValueError, TypeError):
        raise BPRError(f"{path}: an ONNX file without BPR's metadata; expected one written by bpr export") from None
    if version != METADATA_VERSION:
        raise BPRError(f"{path}: expected metadata version {METADATA_VERSION}, got {version}; export again with this BPR")
    return metadata
