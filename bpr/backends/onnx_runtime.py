"""An exported model on ONNX Runtime: no torch, no config. On the CPU, CUDA or TensorRT, if its build has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from bpr.backends.exported import cannot_load, check_exists, options_of, read_metadata
from bpr.backends.registry import BATCH_SIZE
from bpr.cores import limited_cores
from bpr.errors import BPRError
from bpr.refinement.predictor import PatchBatch

onnxruntime.disable_telemetry_events()  # where it was imported before bpr, which forbids it to report anything

OPTIONS: dict[str, dict[str, Any]] = {
    "CUDAExecutionProvider": {"use_tf32": "0"},  # float32 as on the CPU
    "TensorrtExecutionProvider": {"trt_fp16_enable": "1"},
}


class OnnxPredictor:
    """A :class:`~bpr.refinement.predictor.Predictor` from an exported file.

    Args:
        path: a file written by ``bpr export``.
        batch_size: patches per call.
        threads: of the network on the CPU; None takes all cores that the process may use.
        provider: an execution provider of ONNX Runtime; operators that it does not support run on the CPU.

    Raises:
        BPRError: no such file, not ONNX, not exported by BPR; or the provider does not start.
    """

    def __init__(
        self, path: str | Path, batch_size: int = BATCH_SIZE, threads: int | None = None, provider: str = "CPUExecutionProvider"
    ) -> None:
        path = check_exists(path)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.provider, self.threads = provider, threads or limited_cores()
        options.intra_op_num_threads = self.threads or 0  # 0: a thread for each physical core
        providers = [(name, OPTIONS.get(name, {})) for name in dict.fromkeys([provider, "CPUExecutionProvider"])]
        try:
            self._session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=providers)
        except Exception as error:  # ONNX Runtime has one exception type per status code
            raise cannot_load(path, "ONNX Runtime", error) from error
        if (started := self._session.get_providers()[0]) != provider:
            raise BPRError(f"{path}: expected ONNX Runtime to start {provider}, got {started}; check its libraries, or --backend auto")
        self.metadata = read_metadata(path, lambda: self._session.get_modelmeta().custom_metadata_map)
        self.spec, self.recommended, self.verdict = options_of(path, self.metadata)
        self.batch_size = batch_size

    def predict(self, batch: PatchBatch) -> np.ndarray:
        return self._session.run(["probability"], {"patches": batch.patches})[0]
