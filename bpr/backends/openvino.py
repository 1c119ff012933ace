"""An exported model on OpenVINO: no torch, no config, and faster than ONNX Runtime on the CPUs that it supports."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import openvino

from bpr.backends.exported import METADATA_KEY, cannot_load, check_exists, options_of, read_metadata
from bpr.backends.registry import BATCH_SIZE
from bpr.cores import usable_cores
from bpr.refinement.predictor import PatchBatch

LEAST_AT_ONCE, MOST_AT_ONCE = 4, 16
"""Patches per chunk. In smaller chunks each patch costs more; with larger ones cores wait at the end of a batch."""


class OpenVinoPredictor:
    """A :class:`~bpr.refinement.predictor.Predictor` from an exported file.

    A batch is cut into chunks of one fixed size, the last one filled up, and every core works on a chunk at a time. Fixed
    shapes and cores that do not wait for each other are faster, and a patch has the same bits in every batch. One
    thread at a time may predict.

    Args:
        path: a file written by ``bpr export``.
        batch_size: patches per call.
        bf16: compute in bfloat16 on a CPU that supports it. False: compute in float32, even on such a CPU.
        threads: of the network; None takes all cores that the process may use.

    Raises:
        BPRError: no such file, not ONNX, not exported by BPR.
    """

    provider = "CPU"

    def __init__(
        self, path: str | Path, batch_size: int = BATCH_SIZE, bf16: bool = False, threads: int | None = None
    ) -> None:
        path = check_exists(path)
        self.threads = streams = threads or usable_cores()
        precision = "bf16" if bf16 else "f32"
        settings = {"INFERENCE_PRECISION_HINT": precision, "NUM_STREAMS": streams, "INFERENCE_NUM_THREADS": streams}
        try:
            model = _core().read_model(path)
            kept = ["framework", METADATA_KEY]  # where OpenVINO keeps the metadata of the ONNX file
            self.metadata = read_metadata(path, lambda: {METADATA_KEY: model.get_rt_info(kept).value} if model.has_rt_info(kept) else {})
            self.spec, self.recommended, self.verdict = options_of(path, self.metadata)
            self._chunk = max(LEAST_AT_ONCE, min(MOST_AT_ONCE, -(-batch_size // streams)))
            model.reshape({"patches": [self._chunk, self.spec.window, self.spec.window, self.spec.channels]})
            self._requests = openvino.AsyncInferQueue(_core().compile_model(model, "CPU", settings), streams)
        except RuntimeError as error:
            raise cannot_load(path, "OpenVINO", error) from error
        self._requests.set_callback(lambda request, answers: np.copyto(answers, request.get_output_tensor().data[: len(answers)]))
        self.batch_size = batch_size

    def predict(self, batch: PatchBatch) -> np.ndarray:
        answers = np.empty((len(batch), self.spec.window, self.spec.window), np.float32)
        for start in range(0, len(batch), self._chunk):
            part = slice(start, start + self._chunk)
            patches = np.ascontiguousarray(batch.patches[part])
            if missing := self._chunk - len(patches):  # they are black
                patches = np.pad(patches, [(0, missing), (0, 0), (0, 0), (0, 0)])
            self._requests.start_async({"patches": patches}, answers[part])
        self._requests.wait_all()
        return answers


@cache
def _core() -> openvino.Core:
    """The one core of the process, which is never freed.

    The CPU plugin installs a signal stack on the thread that loads it, and frees the stack when it is unloaded. When
    another thread released the last predictor, the next signal killed the process.
    """
    return openvino.Core()
