"""An exported model on ONNX Runtime: no torch, no config.

The file carries all it needs: its graph reads uint8 patches and gives probabilities (preprocessing inside), and its
metadata holds the patch scheme and where it comes from.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from bpr.errors import BPRError, shown
from bpr.geometry.scheme import PatchScheme
from bpr.refinement.predictor import PatchBatch

METADATA_KEY = "bpr"
METADATA_VERSION = 1


class OnnxPredictor:
    """A :class:`~bpr.refinement.predictor.Predictor` from an exported file.

    Args:
        path: a file written by ``bpr export``.
        batch_size: patches a call.
        threads: of the network; None takes all cores.

    Raises:
        BPRError: no such file, not ONNX, not exported by BPR.
    """

    def __init__(self, path: str | Path, batch_size: int = 64, threads: int | None = None) -> None:
        path = Path(path)
        if not path.is_file():
            raise BPRError(f"{path}: no such model file; expected an ONNX file written by bpr export")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = threads or 0
        try:
            self._session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises types of its own, one per status code
            raise BPRError(f"{path}: ONNX Runtime cannot load it ({str(error).splitlines()[0][:120]})") from error
        self.metadata = _metadata(path, self._session.get_modelmeta())
        try:
            self.scheme = PatchScheme.from_dict(self.metadata["scheme"])
        except ValueError as error:
            raise BPRError(f"{path}: {error}; export again with this BPR") from None
        self.batch_size = batch_size

    def predict(self, batch: PatchBatch) -> np.ndarray:
        return self._session.run(["probability"], {"patches": batch.patches})[0]


def _metadata(path: Path, properties: onnxruntime.ModelMetadata) -> dict[str, Any]:
    try:
        metadata = json.loads(properties.custom_metadata_map[METADATA_KEY])
        version, _ = metadata["version"], metadata["scheme"]
    except (KeyError, ValueError, TypeError, RecursionError):
        raise BPRError(f"{path}: an ONNX file without BPR's metadata; expected one written by bpr export") from None
    if version != METADATA_VERSION:
        raise BPRError(f"{path}: expected metadata version {METADATA_VERSION}, got {shown(version)}; export again with this BPR")
    return metadata
