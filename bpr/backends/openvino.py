"""An exported model on OpenVINO: no torch, no config, and on the CPUs that it knows faster than ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino

from bpr.backends.exported import METADATA_KEY, cannot_load, check_exists, read_metadata
from bpr.geometry.scheme import PatchScheme
from bpr.refinement.predictor import PatchBatch


class OpenVinoPredictor:
    """A :class:`~bpr.refinement.predictor.Predictor` from an exported file.

    One stream over all cores: a batch is answered soonest when they share it (docs/speed.md has the alternatives).

    Args:
        path: a file written by ``bpr export``.
        batch_size: patches a call.
        bf16: arithmetic in bfloat16, on a CPU that has it; without it float32, even there.
        threads: of the network; None takes all cores.

    Raises:
        BPRError: no such file, not ONNX, not exported by BPR.
    """

    def __init__(self, path: str | Path, batch_size: int = 64, bf16: bool = False, threads: int | None = None) -> None:
        path = check_exists(path)
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads or 0,
        }
        core = openvino.Core()
        try:
            model = core.read_model(path)
            self._compiled = core.compile_model(model, "CPU", settings)
        except RuntimeError as error:
            raise cannot_load(path, "OpenVINO", error) from error
        self.metadata = read_metadata(path, _properties(model))
        self.scheme = PatchScheme.from_dict(self.metadata["scheme"])
        self.batch_size = batch_size

    def predict(self, batch: PatchBatch) -> np.ndarray:
        request = self._compiled.create_infer_request()  # one each, for threads may share a predictor
        request.infer({"patches": batch.patches})
        return request.get_output_tensor().data


def _properties(model: openvino.Model) -> dict[str, str]:
    """The metadata of the ONNX file, which OpenVINO keeps under the name of the framework."""
    path = ["framework", METADATA_KEY]
    return {METADATA_KEY: model.get_rt_info(path).value} if model.has_rt_info(path) else {}
