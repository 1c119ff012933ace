"""The metadata of a file that ``bpr export`` wrote, for every runtime that reads it.

The file carries all it needs: its graph reads uint8 patches and gives probabilities (preprocessing inside), and its
metadata holds how patches are cut, the recommended options, and the origin of the model.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any

from bpr.errors import BPRError, shown
from bpr.geometry.options import PatchSpec, RefineOptions, from_dict
from bpr.refinement.verdict.model import VerdictModel

METADATA_KEY = "bpr"
METADATA_VERSION = 1


def check_exists(path: str | Path) -> Path:
    """The path of a model file.

    Raises:
        BPRError: no such file, or a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise BPRError(f"{path}: expected a model file, got a folder; name the file in it")
    if not path.is_file():
        raise BPRError(f"{path}: no such model file; expected one that bpr export or bpr train wrote")
    return path


def cannot_load(path: Path, runtime: str, error: Exception) -> BPRError:
    """The error to raise for a file that ``runtime`` refused.

    The message of a runtime is long and refers to its source files; the end of the last line says the most.
    """
    last = (str(error).strip() or type(error).__name__).splitlines()[-1]
    reason = shorten(last.rpartition(" : ")[2], 120, placeholder=" ...")
    return BPRError(f"{path}: expected a model that bpr export wrote, but {runtime} cannot load it ({reason}); export it again")


def read_metadata(path: Path, properties: Callable[[], Mapping[str, str]]) -> dict[str, Any]:
    """The metadata that ``bpr export`` wrote among the properties of an ONNX file.

    Args:
        properties: reads all properties by name. It is a function because reading fails if one is not text.

    Raises:
        BPRError: the file was not written by BPR, or by another version of it.
    """
    try:
        metadata: dict[str, Any] = json.loads(properties()[METADATA_KEY])
        version, _ = metadata["version"], metadata["scheme"]
    except (KeyError, ValueError, TypeError, RecursionError):
        raise BPRError(f"{path}: an ONNX file without BPR's metadata; expected one written by bpr export") from None
    if version != METADATA_VERSION:
        raise BPRError(f"{path}: expected metadata version {METADATA_VERSION}, got {shown(version)}; export again with this BPR")
    return metadata


def options_of(path: Path, metadata: dict[str, Any]) -> tuple[PatchSpec, RefineOptions, VerdictModel | None]:
    """How the model's patches are cut, the options that it recommends, and its verdict, if it has one.

    Raises:
        BPRError: the metadata holds values that are not allowed.
    """
    try:
        verdict = VerdictModel.from_dict(metadata["verdict"]) if "verdict" in metadata else None
        return *from_dict(metadata["scheme"]), verdict
    except ValueError as error:
        raise BPRError(f"{path}: {error}; export again with this BPR") from None
